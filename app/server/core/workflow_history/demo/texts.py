"""Texts of the demo's issues: subjects and kinds of task. Data only.

The fictional product is `stockroom`, the back office of a small online shop.
"""

from typing import NamedTuple


class Subject(NamedTuple):
    """Subject of an issue: a table and its page, in plural and singular."""

    many: str
    one: str


class Kind(NamedTuple):
    """A kind of task; `{many}` and `{one}` in its texts are placeholders for the subject."""

    issue_class: str  # with a leading slash, as in the state file
    slug: str
    titles: tuple[str, ...]
    body: str
    checks: tuple[str, ...]


SUBJECTS = (
    Subject("orders", "order"),
    Subject("customers", "customer"),
    Subject("invoices", "invoice"),
    Subject("shipments", "shipment"),
    Subject("products", "product"),
    Subject("suppliers", "supplier"),
    Subject("returns", "return"),
    Subject("payments", "payment"),
    Subject("subscriptions", "subscription"),
    Subject("warehouses", "warehouse"),
    Subject("quotes", "quote"),
    Subject("coupons", "coupon"),
    Subject("stock counts", "stock count"),
    Subject("price lists", "price list"),
    Subject("purchase orders", "purchase order"),
    Subject("delivery slots", "delivery slot"),
)

FEATURES = (
    Kind(
        "/feature",
        "search",
        ("Search box on the {many} page", "Let me find a {one} by typing part of its name"),
        "The {many} page has no search. With more than a few hundred entries I scroll for minutes.",
        ("typing three letters narrows the list", "an empty box shows everything again"),
    ),
    Kind(
        "/feature",
        "date-filter",
        ("Filter {many} by date range", "Date range picker above the {many} list"),
        "For the monthly close we only look at the {many} of one month. Two date fields and presets do.",
        ("last 7 days, this month and last month are presets", "the range stands in the address bar"),
    ),
    Kind(
        "/feature",
        "bulk-archive",
        ("Archive several {many} at once", "Bulk archive for {many}"),
        "Cleaning up old {many} is one click and one dialog per {one}. I want checkboxes and one button.",
        ("a confirmation names how many are archived", "archived entries leave the default view"),
    ),
    Kind(
        "/feature",
        "pagination",
        ("Paginate the {many} endpoint", "GET /api/{many} should return pages"),
        "The endpoint returns every {one} in one answer, by now several megabytes of JSON.",
        ("limit and cursor parameters", "the frontend loads the next page on scroll"),
    ),
    Kind(
        "/feature",
        "audit-log",
        ("Show who changed a {one} and when", "Audit trail for {many}"),
        "When a {one} looks wrong nobody can tell who edited it. Store each change with user and time.",
        ("the history is a tab on the detail page", "entries cannot be edited or deleted"),
    ),
    Kind(
        "/feature",
        "email-notice",
        ("Email me when a {one} needs attention", "Notification mail for overdue {many}"),
        "Overdue {many} are only seen when somebody opens the page. A daily mail would help.",
        ("one mail a day at most", "every user can switch it off in the settings"),
    ),
    Kind(
        "/feature",
        "print-view",
        ("Printable view of a {one}", "Print stylesheet for {many}"),
        "The warehouse still works on paper. Printing a {one} gives the menu and half a table.",
        ("one {one} fits on one A4 page", "no navigation and no buttons on paper"),
    ),
    Kind(
        "/feature",
        "saved-views",
        ("Saved views for {many}", "Remember my filters on the {many} page"),
        "I set the same four filters on {many} every morning. Let me save them under a name.",
        ("views are per user", "a view can be the default"),
    ),
    Kind(
        "/feature",
        "spreadsheet-import",
        ("Import {many} from a spreadsheet", "Upload an XLSX file to create {many}"),
        "New {many} come as spreadsheets and are typed in by hand. Upload, map the columns, preview, import.",
        (
            "rows with errors are listed with their line number",
            "nothing is saved before the preview is confirmed",
        ),
    ),
    Kind(
        "/feature",
        "inline-edit",
        ("Edit a {one} in the table", "Inline editing on the {many} page"),
        "To fix a typo I open the {one}, wait, change it, save and go back. Let me edit the cell itself.",
        ("Escape cancels, Enter saves", "a refused value stays visible with the reason"),
    ),
    Kind(
        "/feature",
        "webhook",
        ("Webhook when a {one} changes", "Notify other systems about new {many}"),
        "Our accounting tool polls for new {many} every minute. A webhook would spare both sides the load.",
        ("three retries with growing pauses", "the last deliveries are shown in the settings"),
    ),
    Kind(
        "/feature",
        "dashboard-chart",
        ("Chart of {many} per week on the dashboard", "Dashboard: trend of {many}"),
        "Management asks every Monday how many {many} we had. Put a small bar chart on the dashboard.",
        ("weeks without data show as gaps, not as zero", "the chart works in dark mode"),
    ),
    Kind(
        "/feature",
        "tags",
        ("Tags for {many}", "Let users label a {one}"),
        "We put codes like [VIP] or [CHECK] into the notes of {many}. Real tags could be filtered.",
        ("a tag can be renamed everywhere at once", "the list filters by several tags"),
    ),
    Kind(
        "/feature",
        "attachments",
        ("Attach files to a {one}", "File upload on the {one} detail page"),
        "Delivery notes and photos of a {one} live in a shared drive. Store them with the {one}.",
        ("10 MB a file, images and PDF only", "files are deleted with their {one}"),
    ),
    Kind(
        "/feature",
        "shortcuts",
        ("Keyboard shortcuts on the {many} page", "Work through {many} without the mouse"),
        "I check a hundred {many} a day. J and K to move, Enter to open and X to select would save my wrist.",
        ("a question mark opens the list of keys", "keys do nothing while a field has the focus"),
    ),
)

BUGS = (
    Kind(
        "/bug",
        "detail-404",
        ("{one} detail page returns 404 after rename", "Old links to {many} are broken"),
        "Since the last release a bookmarked {one} opens a 404 page. The id in the address is still correct.",
        ("old and new address both work", "a test covers the redirect"),
    ),
    Kind(
        "/bug",
        "timezone",
        ("{many} show the wrong day around midnight", "Dates of {many} are off by one"),
        "A {one} created at 23:30 shows the next day in the list and the right day on the detail page.",
        ("list and detail agree", "a test runs in two time zones"),
    ),
    Kind(
        "/bug",
        "double-submit",
        ("Double click creates two {many}", "Duplicate {many} when saving on a slow line"),
        "When saving takes long, people click again and get the same {one} twice.",
        ("the button is off while saving", "the server refuses the second request with the same key"),
    ),
    Kind(
        "/bug",
        "slow-list",
        ("{many} list takes 12 seconds to load", "Page of {many} times out with many rows"),
        "The log shows one query per {one} for its relations. With 3,000 rows the gateway gives up.",
        ("at most three queries for the list", "below 500 ms with 5,000 rows on the test data"),
    ),
    Kind(
        "/bug",
        "rounding",
        ("Totals of {many} are off by a cent", "Sum below the {many} table does not match the rows"),
        "Adding the rows by hand gives another total than the footer. I suspect floating point sums.",
        ("amounts are decimal from database to page", "the export shows the same total"),
    ),
    Kind(
        "/bug",
        "special-characters",
        ("Server error when a {one} contains an umlaut", "500 on {many} with an emoji in the note"),
        "Saving a {one} with a character outside Latin-1 fails. The log has a UnicodeEncodeError.",
        ("any text can be saved", "what was stored broken is listed by a script"),
    ),
    Kind(
        "/bug",
        "stale-cache",
        ("Edited {one} still shows old values", "{many} page shows stale data after saving"),
        "After saving a {one} the list shows the old row until I reload twice.",
        ("the list is fresh right after saving", "other open tabs catch up within a minute"),
    ),
    Kind(
        "/bug",
        "mobile-layout",
        ("{many} table unusable on a phone", "Buttons of the {many} page overlap on small screens"),
        "Below 400 px the actions of a {one} lie on top of each other, and delete is the one that gets hit.",
        ("usable at 320 px", "no horizontal scrolling of the page"),
    ),
    Kind(
        "/bug",
        "permission-leak",
        ("Read-only users can edit {many} through the API", "PATCH on a {one} ignores the role"),
        "The page hides the button for read-only users, but the request itself goes through.",
        ("403 for every writing method", "a test per role and method"),
    ),
    Kind(
        "/bug",
        "sort-reset",
        ("Sorting of {many} resets when I go back", "{many} list forgets its order"),
        "I sort by amount, open a {one}, go back, and the list is sorted by date again.",
        ("order and page survive going back", "a shared link carries the order"),
    ),
    Kind(
        "/bug",
        "missing-empty-state",
        ("Blank page when there are no {many}", "White screen for a new shop without {many}"),
        "A new account opens the {many} page and sees nothing, with a TypeError in the console.",
        ("an empty list says so and offers to create a {one}", "a test renders the empty list"),
    ),
)

CHORES = (
    Kind(
        "/chore",
        "split-module",
        ("Split the {many} module", "Move {many} validation out of the route handlers"),
        "The {many} routes have grown to 900 lines with validation, queries and mail in one file.",
        ("no change in behaviour", "no function above sixty lines"),
    ),
    Kind(
        "/chore",
        "add-tests",
        ("Raise test coverage of {many}", "Missing tests for the {many} service"),
        "The {many} service has 31% coverage and three bugs a month. Cover the state changes first.",
        ("coverage above 85%", "the suite stays below one minute"),
    ),
    Kind(
        "/chore",
        "remove-endpoint",
        ("Remove the old /v1/{many} endpoint", "Delete deprecated {many} API v1"),
        "Nobody has called the old endpoint for ninety days according to the access log.",
        ("route, schema and docs are gone", "the changelog names the replacement"),
    ),
    Kind(
        "/chore",
        "typed-client",
        ("Use the generated client for {many}", "Replace hand-written fetch calls for {many}"),
        "The frontend builds the requests for {many} by hand, and two field names have drifted already.",
        ("no fetch call with /{many} is left", "the type check runs in CI"),
    ),
    Kind(
        "/chore",
        "database-index",
        ("Add an index for {many} by status", "Slow query report: {many} without an index"),
        "The slow query log is full of sequential scans over {many} filtered by status and date.",
        ("a migration that runs without a long lock", "the plan in the pull request shows the index"),
    ),
    Kind(
        "/chore",
        "api-docs",
        ("Document the {many} API", "OpenAPI descriptions for {many}"),
        "Partners ask what the fields of a {one} mean. The generated page only has names and types.",
        ("every field has a sentence and an example", "the page builds in CI"),
    ),
    Kind(
        "/chore",
        "structured-logs",
        ("Structured logs for {many}", "Log {many} events as key and value"),
        "Support greps through free text to follow one {one}. Log its id as a field in every line.",
        ("one event name per step", "no personal data in the log"),
    ),
)
