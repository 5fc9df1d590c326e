"""`ListDeadLetters` and `ResubmitDeadLetters`: what could not be processed, and sending it back."""

import azure.functions as func

from activities.dead_letters import MAX_LOOK, look, send_back
from domain.dead_letters import InvalidSelection, read_selection
from domain.problem import Problem
from triggers._http import Refused, answered, json_response, limit_of, read_json

_DEFAULT_LIMIT = 50
_MAX_LIMIT = 100


async def list_dead_letters(request: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """200 with a list, oldest first, or a problem (400, 503)."""

    async def answer() -> func.HttpResponse:
        letters = await look(limit_of(request, _DEFAULT_LIMIT, _MAX_LIMIT))
        return json_response(
            [letter.to_dict() for letter in letters], 200, {"Cache-Control": "no-store"}
        )

    return await answered(request, context, answer)


async def resubmit_dead_letters(
    request: func.HttpRequest, context: func.Context
) -> func.HttpResponse:
    """200 with what was sent back, or a problem (400, 503)."""

    async def answer() -> func.HttpResponse:
        try:
            selection = read_selection(read_json(request))
        except InvalidSelection as error:
            told = [{"field": error.field, "code": "invalid", "message": str(error)}]
            raise Refused(Problem("malformed", str(error), told)) from None
        sent = await send_back(selection.takes, MAX_LOOK)
        told_back = {
            "resubmitted": len(sent),
            "sequenceNumbers": sorted(letter.sequence_number for letter in sent),
        }
        return json_response(told_back)

    return await answered(request, context, answer)
