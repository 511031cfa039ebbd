"""Generate sentences that sound like software tasks, as training data for the word table."""

from __future__ import annotations

import random

_VERBS = """
add implement create build introduce provide support enable allow remove delete drop disable fix repair
resolve correct handle prevent avoid improve optimise speed-up refactor rewrite simplify clean-up rename
move extract split merge update upgrade bump migrate replace switch convert port show display render hide
highlight list sort filter search group validate check verify enforce limit restrict throttle cache store
persist save load fetch import export download upload sync synchronise schedule automate retry document
describe test cover log monitor track measure report notify send email publish subscribe deploy release
package configure parse format normalise escape encrypt hash rotate revoke authenticate authorise
redirect route translate localise resize crop compress generate compute count aggregate archive restore
back-up clone copy paste undo pin
"""
_ADJECTIVES = """
new old empty missing broken slow fast large small duplicate invalid expired stale nested hidden visible
active inactive public private shared remote local default custom optional required recent archived
failed pending deprecated
"""
_NOUNS = """
button, menu, sidebar, header, footer, navigation bar, modal dialog, dropdown, tooltip, toast message,
form, input field, checkbox, radio button, date picker, table, column, row, cell, list, grid, card,
chart, graph, dashboard, landing page, settings page, profile page, home page, login page, sign-up form,
search box, search results, breadcrumb, tab, icon, logo, avatar, image gallery, thumbnail, video player,
map, calendar, timeline, comment, thread, message, chat window, inbox, notification, email, newsletter,
invoice, receipt, payment, checkout, shopping cart, product, catalogue, order, discount code,
subscription, price, currency, tax, customer, account, user, admin, role, permission, team, organisation,
password, two-factor login, session, cookie, token, API key, secret, certificate, OAuth login, single
sign-on, audit log, rate limiter, endpoint, REST API, GraphQL schema, webhook, queue, background job,
worker, cron job, scheduler, task runner, pipeline, build, deployment, container, Docker image,
Kubernetes cluster, load balancer, proxy, server, client, mobile app, desktop app, browser extension,
plugin, theme, stylesheet, font, colour palette, animation, layout, database, schema, migration, index,
query, transaction, connection, replica, backup, dump, cache, Redis, Postgres, MySQL, SQLite,
Elasticsearch, S3 bucket, file, folder, upload, download, attachment, CSV, JSON, XML, PDF, Excel sheet,
spreadsheet, Markdown, report, log file, stack trace, error page, exception, warning, memory leak, race
condition, deadlock, timeout, latency, throughput, metric, alert, trace, health probe, feature flag,
config file, environment variable, command line, CLI option, script, library, dependency, package,
version, changelog, release, licence, README, documentation, tutorial, docstring, comment, type
annotation, linter, formatter, unit test, integration test, end-to-end test, fixture, mock, coverage,
branch, commit, pull request, merge conflict, issue, label, milestone, repository, git hook, submodule,
workflow, agent, prompt, model, embedding, dataset, training run, token budget, cost, usage, quota,
billing, plan, phase, keyboard shortcut, screen reader, contrast, focus, scroll position, drag handle,
zoom, viewport, small screen, phone, tablet, time zone, locale, language, translation, date, timestamp,
unit, decimal, rounding, encoding, Unicode, emoji, URL, slug, redirect, link, anchor, sitemap, robots
file, meta tag, analytics, tracking, consent banner, privacy policy, parser, compiler, syntax tree,
tokenizer, lexer, interpreter, regex, iterator, generator, thread pool, lock, event loop, socket, stream,
packet, protocol, HTTP header, gRPC service, serializer, class, function, method, interface, enum,
constant, module, import, circular dependency, dead code, duplicate code
"""
_SYMPTOMS = """
crashes, hangs, is slow, is empty, shows the wrong value, fails with an error, returns 500, returns 404,
times out, does not load, is not saved, is lost after a reload, flickers, overlaps the text, is cut off,
leaks memory, raises an exception, loops forever, is out of date, appears twice, is missing, ignores the
setting, blocks the main thread, cannot be clicked, is not accessible, breaks in Safari, does not scroll
"""
_REASONS = """
so that users find it, to save time, because it confuses people, for better performance, for security,
before the release, on every page, in production, for large files, when offline, in the background,
without a restart, every night, after each deploy, when the user logs in, by default
"""
_FRAMES = (
    "{v} {n}",
    "{v} the {a} {n}",
    "{v} a {n} for the {n2}",
    "{v} {n} in the {n2} {w}",
    "the {n} {s}",
    "{a} {n} {s} when the {n2} {s2}",
    "{n}: {v} {n2}",
    "we need a {n} that can {v} the {n2}",
    "users should be able to {v} the {n}",
    "{v} {n} and {n2}",
    "{v} {n} from {n2} to {n3}",
    "when I {v} the {n}, the {n2} {s}",
    "{v} the {n} instead of the {n2}",
    "make the {n} {a} {w}",
    "as a user I want to {v} a {n} {w}",
    "please {v} the {n}; the {n2} {s}",
    "{n} {n2} {w}",
    "{v} {n} per {n2}",
    "stop the {n} when the {n2} is {a}",
    "if the {n} is {a}, {v} the {n2}",
)


def task_sentences(count: int, seed: int = 0) -> list[str]:
    """Return `count` sentences, the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - not used for secrets
    verbs = [verb.replace("-", " ") for verb in _VERBS.split()]
    nouns, symptoms, reasons = (_phrases(text) for text in (_NOUNS, _SYMPTOMS, _REASONS))
    adjectives = _ADJECTIVES.split()
    return [
        chance.choice(_FRAMES).format(
            v=chance.choice(verbs),
            n=chance.choice(nouns),
            n2=chance.choice(nouns),
            n3=chance.choice(nouns),
            a=chance.choice(adjectives),
            s=chance.choice(symptoms),
            s2=chance.choice(symptoms),
            w=chance.choice(reasons),
        )
        for _ in range(count)
    ]


def _phrases(text: str) -> list[str]:
    return [" ".join(phrase.split()) for phrase in text.split(",")]
