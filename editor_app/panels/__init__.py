"""Layout: each module returns the Gradio component of one part of the page. What they do lies in static/js."""
