"""The settings view as HTML: who can answer, how, of which time, and what differs from the server."""

from __future__ import annotations

from datetime import date

from rag.settings import AnswererName, Settings, Style
from ui.escape import escaped, shortened
from ui.preferences import Preferences
from ui.settings_form import LEAST_SOURCES, MOST_SOURCES, OPENAI_HOST, STYLES, Form, endpoint_host, offers_endpoint

NAMES: dict[AnswererName, str] = {
    "auto": "Automatic",
    "quotes": "Quotes",
    "local": "Local model",
    "openai": "Endpoint",
}
WRITTEN: dict[AnswererName, str] = {
    "auto": "answered automatically",
    "quotes": "answered in quotes",
    "local": "answered by the local model",
    "openai": "answered by the endpoint",
}
STYLE_NAMES: dict[Style, str] = {
    "standard": "Standard",
    "short": "Short",
    "detailed": "Detailed",
    "plain": "Plain",
    "bullets": "Bulleted",
}
BUNDLED = "SmolLM2-135M-Instruct"
LONGEST_NAME = 60  # characters of a model's name in a sentence
ABOUT = (
    "<h2>Settings</h2>"
    '<p class="pc-note">They hold for this browser tab, from the next question on. They are kept in memory only: '
    "once the tab is reloaded or closed, they are as the server is configured.</p>"
)
ENDPOINT_ABOUT = (
    "<h3>Endpoint</h3>"
    '<p class="pc-note">A language model behind an OpenAI-compatible address, such as Ollama, llama-server, vLLM or '
    "OpenAI. Your questions and the passages found for them are sent there.</p>"
)


def answerers_html(form: Form, preferences: Preferences, server: Settings, local_problem: str) -> str:
    """Who can answer, each with what that means and whether it is available; the chosen one is checked."""
    chosen = form.answerer or server.answerer
    missing = {"local"} if local_problem else set()
    if not (offers_endpoint(server) or endpoint_host(preferences, server)):
        missing.add("openai")
    rows = "".join(
        _answerer(
            name,
            _meaning(name, preferences, server, local_problem),
            available=name not in missing,
            checked=name == chosen,
            default=name == server.answerer,
        )
        for name in NAMES
    )
    fieldset = '<fieldset class="pc-choices" aria-describedby="pc-answerer-problem"><legend>Who answers</legend>'
    return _anew(f"{fieldset}{rows}</fieldset>", form)


def key_html(form: Form, server: Settings) -> str:
    """Whether there is a key, never the key."""
    if form.key:
        where = (
            ""
            if form.base_url or server.openai_base_url
            else f" Without an address it is for {OPENAI_HOST}, and is forgotten once there is one."
        )
        return (
            f'<p class="pc-note">A key is set for this tab.{where} '
            '<button type="button" class="pc-textual" data-act="forget">Forget key</button></p>'
        )
    if server.openai_api_key and not form.base_url:
        return '<p class="pc-note">The server has a key of its own for its address.</p>'
    return '<p class="pc-note">Only if the endpoint wants one. It is kept in memory, and never shown again.</p>'


def fields_html(form: Form, server: Settings) -> str:
    """Style, number of sources and dates, as they were typed."""
    styles = "".join(_style(style, style == (form.style or server.style)) for style in STYLES)
    most = (
        '<label class="pc-field"><span>At most, for one answer</span>'
        f'<input type="number" min="{LEAST_SOURCES}" max="{MOST_SOURCES}" step="1" inputmode="numeric" '
        f'placeholder="{server.sources}" value="{escaped(form.sources or str(server.sources))}" data-change="sources" '
        'aria-describedby="pc-fields-problem"></label>'
    )
    days = _day("published_from", "Published from", form.published_from)
    days += _day("published_to", "Published to", form.published_to)
    return _anew(
        f'<fieldset class="pc-choices"><legend>Style</legend><div class="pc-pills">{styles}</div></fieldset>'
        f'<h3>Papers</h3><div class="pc-row-of-fields">{most}{days}</div>',
        form,
    )


def problem_html(*problems: str | None) -> str:
    """Sentences about what cannot be used, empty where all is well."""
    return "".join(f'<p class="pc-problem" role="alert">{escaped(problem)}</p>' for problem in problems if problem)


def outcome_html(message: str, ok: bool | None) -> str:
    """What came of asking the endpoint; `ok` is None while it is being asked."""
    if ok is False:
        return problem_html(message)
    return f'<p class="pc-note{" pc-well" if ok else ""}" role="status">{escaped(message)}</p>' if message else ""


def summary_html(preferences: Preferences, server: Settings) -> str:
    """What differs from the server, in one line."""
    differing = ", ".join(_differences(preferences, server))
    text = f"Changed for this tab: {escaped(differing)}." if differing else "Everything is as the server is configured."
    return f'<p class="pc-note" role="status">{text}</p>'


def _anew(html: str, form: Form) -> str:
    """`html` in an element of another name once the form was cleared.

    Gradio changes elements in place, and an input in which something was typed keeps that, whatever
    its attributes say; so it has to be another element.
    """
    tag = "section" if form.cleared % 2 else "div"
    return f"<{tag}>{html}</{tag}>"


def _differences(preferences: Preferences, server: Settings) -> list[str]:
    parts = []
    where = f" at {endpoint_host(preferences, server)}" if preferences.base_url else ""
    if preferences.answerer:
        parts.append(WRITTEN[preferences.answerer] + (where if preferences.answerer == "openai" else ""))
    if where and preferences.answerer != "openai":
        parts.append(f"an endpoint{where}")
    if preferences.api_key:
        parts.append("a key of your own")
    if preferences.model:
        parts.append(f"model {shortened(preferences.model, LONGEST_NAME)}")
    if preferences.style:
        parts.append(f"{STYLE_NAMES[preferences.style].lower()} answers")
    if preferences.sources:
        parts.append(f"at most {preferences.sources} paper{'' if preferences.sources == 1 else 's'} for an answer")
    if preferences.period:
        parts.append(f"only papers {preferences.period.in_words()}")
    return parts


def _meaning(name: AnswererName, preferences: Preferences, server: Settings, local_problem: str) -> str:
    """What an answerer does, or why it is not available."""
    offered, host = offers_endpoint(server), endpoint_host(preferences, server)
    model = f"The model at {host}" if offered else "The server's language model"
    if name == "quotes":
        return "Sentences of the papers, word for word. No language model is asked."
    if name == "local":
        file = server.local_model.stem if server.local_model else BUNDLED
        return local_problem or f"{file} writes on the server itself, slowly. Nothing is sent anywhere."
    if name == "auto" and not host:
        return "Quotes, as there is no endpoint."
    if name == "auto" and server.routing:
        return f"Facts are quoted at once. {model} writes the rest."
    if host:
        return f"{model} writes every answer."
    return "Needs an address or a key, below." if offered else "This server has none."


def _answerer(name: AnswererName, means: str, *, available: bool, checked: bool, default: bool) -> str:
    states = f"{' checked' if checked else ''}{'' if available else ' disabled'}"
    mark = " <small>default</small>" if default else ""
    return (
        f'<label class="pc-choice"><input type="radio" name="pc-answerer" value="{name}" '
        f'data-change="answerer"{states}><span><b>{NAMES[name]}</b>{mark}'
        f'<span class="pc-means">{escaped(means)}</span></span></label>'
    )


def _style(style: Style, checked: bool) -> str:
    return (
        f'<label><input type="radio" name="pc-style" value="{style}" data-change="style"'
        f"{' checked' if checked else ''}><span>{STYLE_NAMES[style]}</span></label>"
    )


def _day(name: str, label: str, typed: str) -> str:
    return (
        f'<label class="pc-field"><span>{label}</span><input type="date" min="{date(1900, 1, 1)}" '
        f'max="{date(2999, 12, 31)}" value="{escaped(typed)}" data-change="{name}" '
        'aria-describedby="pc-fields-problem"></label>'
    )
