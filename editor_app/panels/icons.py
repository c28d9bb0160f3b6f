"""Small line drawings, 24 units wide, coloured by the text around them."""

from __future__ import annotations

__all__ = ["icon"]

_PATHS = {
    "upload": '<path d="M12 16V4m0 0L7 9m5-5 5 5M4 16v3a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-3"/>',
    "reset": '<path d="M4 12a8 8 0 1 0 2.5-5.8M4 4v4h4"/>',
    "download": '<path d="M12 4v12m0 0 5-5m-5 5-5-5M4 20h16"/>',
    "compare": '<path d="M12 3v18M9 6H5a1 1 0 0 0-1 1v10a1 1 0 0 0 1 1h4m6-12h4a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1h-4"/>',
    "spark": '<path d="M12 3v5m0 8v5m9-9h-5M8 12H3m14.5-5.5-2.7 2.7m-5.6 5.6-2.7 2.7m11 0-2.7-2.7M9.2 9.2 6.5 6.5"/>',
    "theme": '<circle cx="12" cy="12" r="8"/><path d="M12 4a8 8 0 0 0 0 16z" fill="currentColor"/>',
    "face": '<circle cx="12" cy="12" r="9"/><path d="M8.5 10h.01M15.5 10h.01M8 14.5c1 1.3 2.4 2 4 2s3-.7 4-2"/>',
    "logo": '<path d="M2 19c4 0 3.5-13 7-13s3 13 7 13" /><path d="M8 19c4 0 3.5-13 7-13s3 13 7 13" opacity=".5"/>',
}


def icon(name: str) -> str:
    """An SVG element that screen readers skip."""
    return (
        '<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.8"'
        f' stroke-linecap="round" stroke-linejoin="round">{_PATHS[name]}</svg>'
    )
