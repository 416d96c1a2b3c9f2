"""What can be wrong with what is in the scene."""


class SceneError(Exception):
    """Something that the user can mend; the text is one plain sentence that says what is wrong and what to do."""
