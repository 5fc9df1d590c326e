"""Definitions and policies at load: what is wrong is named, all of it, with file and line."""

# One case, one line.
# ruff: noqa: E501
import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from emulator.apim.definitions import Variant, load_definitions
from emulator.apim.errors import DefinitionError
from emulator.apim.named_values import substitute
from emulator.apim.snapshot import Snapshot, build_snapshot

API = {"name": "a", "path": "", "operations": [{"name": "o", "method": "GET", "urlTemplate": "/"}]}
MANAGEMENT: dict[str, Any] = {
    "apis": [{**API, "policy": "policies/api.xml"}],
    "products": [{"name": "p", "apis": ["a"], "policy": "policies/product.xml"}],
    "backends": [{"name": "b", "path": "/api"}],
    "namedValues": [{"name": "known", "value": "5"}, {"name": "expression", "value": "@(1 + 1)"}],
}
EMPTY = "<policies><inbound><base /></inbound></policies>"


def _load(
    folder: Path,
    files: Mapping[str, str],
    management: dict[str, Any] | None = None,
    *,
    tier: str = "classic",
) -> Snapshot:
    (folder / "policies").mkdir(exist_ok=True)
    for name in ("api.xml", "product.xml"):
        (folder / "policies" / name).write_text(files.get(name, EMPTY), encoding="utf-8")
    if "global.xml" in files:
        (folder / "policies" / "global.xml").write_text(files["global.xml"], encoding="utf-8")
    definitions = load_definitions(
        {"apiManagement": management or MANAGEMENT},
        folder,
        "http://127.0.0.1:7071",
        Variant(tier),
    )
    by_key = tier != "consumption"
    return build_snapshot(definitions, definitions.named_values, rate_limits_by_key=by_key)


def _problems(folder: Path, files: Mapping[str, str], **kwargs: Any) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        _load(folder, files, **kwargs)
    return [str(problem) for problem in caught.value.problems]


def _inbound(text: str) -> str:
    return f"<policies>\n<inbound>\n<base />\n{text}\n</inbound>\n</policies>"


def test_everything_that_is_wrong_is_reported_together(tmp_path: Path) -> None:
    found = _problems(
        tmp_path,
        {
            "global.xml": _inbound("<quota calls='1' />").replace("<base />\n", ""),
            "api.xml": _inbound('<set-variable name="x" value="{{unknown}}" />\n<odd />'),
            "product.xml": _inbound("<set-header />"),
        },
    )
    assert found == [
        "policies/api.xml:4: there is no named value unknown",
        "policies/api.xml:5: the policy odd is not supported",
        "policies/global.xml:3: the policy quota is not supported",
        "policies/product.xml:4: set-header needs the attribute name",
    ]


def test_files_that_are_no_xml_are_reported_together(tmp_path: Path) -> None:
    found = _problems(
        tmp_path,
        {
            "api.xml": '<policies>\n<inbound><set-variable name="x" value="@("a" + 1)" />',
            "product.xml": "<!DOCTYPE x><policies />",
        },
    )
    assert len(found) == 2
    assert "policies/api.xml:2:" in found[0]
    assert "&quot;" in found[0]
    assert "document types" in found[1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<set-body template='liquid'>x</set-body>", "template is not supported"),
        ("<forward-request />", "not allowed in inbound"),
        ("<set-header name='a'/>", "has values"),
        ("<set-header name='a b'><value>1</value></set-header>", "not the name of a header"),
        ("<set-header name='Content-Length'><value>1</value></set-header>", "cannot be set"),
        ("<set-header name='Host'><value>x</value></set-header>", "not supported"),
        ("<set-header name='a' exists-action='x'><value/></set-header>", "exists-action is one"),
        ("<set-header name='a' colour='x'><value/></set-header>", "no attribute colour"),
        ("<set-header name='a'>text<value/></set-header>", "no text beside"),
        ("<base id='x' />", "base takes nothing"),
        ("<choose><otherwise /></choose>", "choose needs a when"),
        ("<choose><otherwise /><when condition='@(true)' /></choose>", "otherwise is the last"),
        ("<choose><unless /></choose>", "choose takes no element unless"),
        ("<choose><when /></choose>", "when needs the attribute condition"),
        ("<set-status code='20' reason='x' />", "not a whole number from 100 to 999"),
        ("<return-response><set-body/><set-body/></return-response>", "takes one set-body"),
        ("<send-request response-variable-name='x' />", "needs a set-url"),
        ("<set-backend-service />", "either backend-id or base-url"),
        ("<set-backend-service backend-id='none' />", "there is no backend none"),
        ("<set-backend-service base-url='ftp://x' />", "not an absolute http"),
        ("<set-query-parameter name='a' exists-action='delete'><value/></set-query-parameter>",
         "has values, unless"),
        ("<rewrite-uri template='x' />", "begins with /"),
        ("<set-method>1</set-method>", "needs a method"),
        ("<trace source='a'/>", "trace needs a message"),
        ("<trace source='a' severity='loud'><message>x</message></trace>", "severity is one of"),
        ("<cache-lookup-value key='a' variable-name='b' caching-type='external'/>", "external cache"),
        ("<limit-concurrency key='a' max-count='0' />", "not a whole number from 1"),
        ("<rate-limit-by-key calls='5' renewal-period='301' counter-key='x' />", "from 1 to 300"),
        ("<rate-limit calls='@(5)' renewal-period='60' />", "takes no expression"),
        ("<rate-limit calls='5' renewal-period='60'><api name='x'/></rate-limit>", "takes no element"),
        ("<rate-limit calls='5' renewal-period='60'/><rate-limit calls='5' renewal-period='60'/>",
         "may stand once"),
        ("<rate-limit-by-key calls='5' renewal-period='60' counter-key='x' increment-condition="
         "'@(context.Response.Body.As&lt;string&gt;() == null)' />", "may not read a body"),
        ("<validate-jwt header-name='a' />", "needs openid-config or issuer-signing-keys"),
        ("<validate-jwt><openid-config url='x'/></validate-jwt>", "needs one of header-name"),
        ("<validate-jwt header-name='a' query-parameter-name='b'><openid-config url='x'/>"
         "</validate-jwt>", "needs one of header-name"),
        ("<validate-jwt header-name='a'><audiences><audience>x</audience></audiences>"
         "<openid-config url='x'/></validate-jwt>", "have the order"),
        ("<validate-jwt header-name='a'><openid-config url='x'/><audiences/></validate-jwt>",
         "audiences needs a audience"),
        ("<validate-jwt header-name='a'><issuer-signing-keys><key>AAAA</key></issuer-signing-keys>"
         "</validate-jwt>", "too short"),
        ("<validate-jwt header-name='a'><issuer-signing-keys><key certificate-id='x'/>"
         "</issuer-signing-keys></validate-jwt>", "certificate-id is not supported"),
        ("<validate-jwt header-name='a'><openid-config url='x'/><required-claims>"
         "<claim name='x' match='some'/></required-claims></validate-jwt>", "match is all or any"),
        ("<validate-jwt header-name='a'><decryption-keys/></validate-jwt>", "takes no element"),
        ("<cors><allowed-methods/></cors>", "cors needs allowed-origins"),
        ("<authentication-managed-identity resource='x' client-id='@(\"a\")' />",
         "takes no expression"),
        ("<set-variable name='x' value='@(context.Nothing)' />", "has no supported member Nothing"),
        ("<set-variable name='x' value='@(&quot;a&quot; - {{known}})' />", "cannot be applied"),
    ],
)  # fmt: skip
def test_a_policy_that_cannot_be_carried_out_is_refused(
    tmp_path: Path, text: str, says: str
) -> None:
    found = _problems(tmp_path, {"api.xml": _inbound(text)})
    assert any(says in problem for problem in found), found
    assert all(problem.startswith("policies/api.xml:") for problem in found)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("<policy />", "the root element is policies"),
        ("<policies><inbound /><inbound /></policies>", "each once"),
        ("<policies><middle /></policies>", "each once"),
        ("<policies><inbound x='1' /></policies>", "without attributes"),
        ("<policies><inbound>text</inbound></policies>", "takes no text"),
        (_inbound("<cors><allowed-origins><origin>*</origin></allowed-origins></cors>"),
         "cors is the first"),
    ],
)  # fmt: skip
def test_a_document_has_the_vendors_form(tmp_path: Path, document: str, says: str) -> None:
    found = _problems(tmp_path, {"api.xml": document})
    assert any(says in problem for problem in found), found


def test_rate_limits_have_their_tiers_and_scopes(tmp_path: Path) -> None:
    by_key = _inbound('<rate-limit-by-key calls="1" renewal-period="1" counter-key="x" />')
    assert "Consumption" in _problems(tmp_path, {"product.xml": by_key}, tier="consumption")[0]
    everywhere = _inbound('<rate-limit calls="1" renewal-period="1" />').replace("<base />", "")
    assert "product, API and operation" in _problems(tmp_path, {"global.xml": everywhere})[0]


def test_a_base_url_cannot_replace_an_inherited_backend(tmp_path: Path) -> None:
    named = _inbound('<set-backend-service backend-id="b" />')
    other = _inbound('<set-backend-service base-url="http://127.0.0.1:1" />')
    found = _problems(tmp_path, {"product.xml": named, "api.xml": other})
    assert "base-url cannot replace" in found[0]
    _load(tmp_path, {"product.xml": other, "api.xml": named})


def test_oddities_are_warnings(tmp_path: Path) -> None:
    late = _inbound(
        '<validate-jwt header-name="Authorization"><openid-config url="http://127.0.0.1/x" />'
        "</validate-jwt>"
    )
    snapshot = _load(tmp_path, {"api.xml": late, "product.xml": "<policies />"})
    texts = [str(warning) for warning in snapshot.warnings]
    assert any("stands after <base />" in text for text in texts)
    assert any("product.xml" in text and "no <base />" in text for text in texts)


@pytest.mark.parametrize(
    ("inner", "is_odd"),
    [("<forward-request />", False), ('<trace source="x"><message>y</message></trace>', True)],
)
def test_a_backend_that_forwards_by_itself_inherits_nothing(
    tmp_path: Path, inner: str, is_odd: bool
) -> None:
    limited = f'<limit-concurrency key="k" max-count="1">{inner}</limit-concurrency>'
    sections = (
        "<inbound><base /></inbound><outbound><base /></outbound><on-error><base /></on-error>"
    )
    text = f"<policies><backend>{limited}</backend>{sections}</policies>"
    warnings = _load(tmp_path, {"api.xml": text}).warnings
    assert [w.text for w in warnings if w.file.endswith("api.xml")] == (
        ["backend has no <base />: nothing is inherited"] if is_odd else []
    )


@pytest.mark.parametrize("missing", ["apis", "products"])
def test_a_missing_member_is_named(tmp_path: Path, missing: str) -> None:
    management = {k: v for k, v in MANAGEMENT.items() if k != missing}
    assert missing in _problems(tmp_path, {}, management=management)[0]


def test_a_product_of_an_unknown_api_is_named(tmp_path: Path) -> None:
    management = copy.deepcopy(MANAGEMENT)
    management["products"][0]["apis"] = ["none"]
    assert "unknown API none" in _problems(tmp_path, {}, management=management)[0]


def test_substitution_is_textual_and_not_recursive() -> None:
    values = {"a": "1", "b": "{{a}}", "c.d-e_f": "x"}
    assert substitute("{{a}}{{b}}-{{c.d-e_f}}", values) == ("1{{a}}-x", {"a", "b", "c.d-e_f"}, [])
    assert substitute('{{context.Variables["x"]}} {{ a }} {b}', values)[0] == (
        '{{context.Variables["x"]}} {{ a }} {b}'
    )
    assert substitute("{{none}}", values) == ("{{none}}", set(), ["none"])
