"""Stand-in for slicer.i18n: nothing is translated, and a text that could not be is an error."""


def translate(context, text):
    """The text as it is."""
    return _checked(text)


def tr(text):
    """Likewise, the context being the file."""
    return _checked(text)


def _checked(text):
    if not isinstance(text, str) or not text:
        raise ValueError(f"only a text can be translated, not {text!r}")
    return text
