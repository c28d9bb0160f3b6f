"""What happens when the user does something: plain functions of an :class:`editor_app.editor.Editor` and JSON."""
