"""JSON with comments, which the real tools' parser tolerates in their files. Pure."""


def strip_comments(text: str) -> str:
    """JSON text with `//` and `/* */` comments blanked; strings are left alone."""
    out: list[str] = []
    index, end = 0, len(text)
    while index < end:
        char = text[index]
        if char == '"':
            stop = index + 1
            while stop < end and text[stop] != '"':
                stop += 2 if text[stop] == "\\" else 1
            out.append(text[index : stop + 1])
            index = stop + 1
        elif text.startswith("//", index):
            stop = text.find("\n", index)
            index = end if stop < 0 else stop
        elif text.startswith("/*", index):
            stop = text.find("*/", index + 2)
            if stop < 0:
                raise ValueError("a comment is not closed")
            out.append(" ")
            index = stop + 2
        else:
            out.append(char)
            index += 1
    return "".join(out)
