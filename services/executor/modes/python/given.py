"""The names by which a plugin's hooks ask for what they are given, each as a parameter of that name."""

# None of them may be a name that Python or the platform looks up itself: code may spell these.
GIVEN: frozenset[str] = frozenset(
    {
        "__body__",
        "__chat_id__",
        "__ctx__",
        "__event_call__",
        "__event_emitter__",
        "__files__",
        "__id__",
        "__message_id__",
        "__messages__",
        "__metadata__",
        "__model__",
        "__oauth_token__",
        "__request__",
        "__session_id__",
        "__task__",
        "__task_body__",
        "__tools__",
        "__user__",
    }
)
