"""Own prices from the config file: computed costs use them, reported costs do not, reprice applies them."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.server.core.workflow_history import (
    get_workflow_history,
    resync_all_completed_workflows,
    resync_workflow_cost,
    sync_workflow_history,
)
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.errors import ConfigError, PriceUnknownError
from app.server.core.workflow_history.common.models import LIST_PRICE, Terms, TokenUsage
from app.server.core.workflow_history.costs.pricing import cost_usd, price_version
from app.server.core.workflow_history.ingest.config.own_prices import configured_prices, use_configured_prices
from app.server.core.workflow_history.pipeline.folder_costs import folder_costs
from app.server.core.workflow_history.pipeline.workers import process_pool
from app.server.core.workflow_history.queries.explain import explain_run
from app.server.core.workflow_history.queries.settings_file import load_config
from app.server.tests.support.build import assistant, init, result, run, stream
from app.server.tests.support.native_sessions import BEGAN, Session

PRIVATE = "my-private-model"
MILLION_EACH = TokenUsage(input=1_000_000, output=1_000_000)
DAY = datetime(2026, 7, 1, 12, tzinfo=UTC)
FAST = Terms(speed="fast")
OWN = f"""
[prices.models."{PRIVATE}"]
input = 1.25
output = 10
cache_read = 0.125
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test works in a folder of its own."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("WORKFLOW_HISTORY_CONFIG", raising=False)
    return folder


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    """Make a directory of two runs: one computed, one reported."""
    folder = tmp_path / "shop" / "agents"
    private_run(folder, "computed1")
    home = run(folder, "reported1", {"status": "completed"})
    stream(home, "planner", init("r"), assistant("m", session="r"), result(0.5, session="r"))
    return folder


def private_run(folder: Path, name: str) -> None:
    """Write a run of 1,000 input and 1,000 output tokens of a model that no table has."""
    home = run(folder, name, {"status": "completed"})
    session = Session(f"session-{name}").says("Add it").answers(f"m-{name}", model=PRIVATE)
    session.write_to(home / "planner" / "raw_output.jsonl")


def config(text: str) -> None:
    Path("workflow-history.toml").write_text(text)


def price(
    text: str,
    model: str = PRIVATE,
    usage: TokenUsage = MILLION_EACH,
    at: datetime | None = DAY,
    terms: Terms = LIST_PRICE,
    *,
    one_request: bool = False,
) -> Decimal:
    config(text)
    with use_configured_prices():
        return cost_usd(model, usage, at, terms=terms, one_request=one_request)


def version(text: str) -> str:
    config(text)
    with use_configured_prices():
        return price_version()


def history() -> list[dict[str, Any]]:
    return list(get_workflow_history(limit=10)["workflows"])


def stored(name: str) -> dict[str, Any]:
    return next(run for run in history() if run["id"] == name)


# --- arithmetic


def test_a_private_model_has_the_price_of_the_config_file():
    usage = TokenUsage(input=1_000, output=1_000, cache_read=10_000)
    # (1,000 × 1.25 + 1,000 × 10 + 10,000 × 0.125) per million
    assert price(OWN, usage=usage) == Decimal("0.0125")


def test_a_kind_of_token_without_an_own_rate_is_unpriced_and_the_error_names_the_key():
    message = rf"workflow-history\.toml: prices\.models\.{PRIVATE} has no 1-hour cache write price"
    with pytest.raises(PriceUnknownError, match=message):
        price(OWN, usage=TokenUsage(cache_write_1h=1))


def test_every_rate_has_a_key():
    text = OWN + "cache_write_5m = 2\ncache_write_1h = 3\nweb_search = 20\n"
    usage = TokenUsage(1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_000)
    assert price(text, usage=usage) == Decimal("1.25") + 10 + Decimal("0.125") + 2 + 3 + 20


def test_a_discount_is_taken_off_list_prices_and_not_off_own_ones():
    text = "[prices]\ndiscount = 0.15\n" + OWN
    searches = TokenUsage(input=1_000_000, web_searches=10)
    # (3 + 10 × 0.01) × 0.85
    assert price(text, "claude-sonnet-4-5", searches) == Decimal("2.635")
    assert price(text) == Decimal("11.25")


def test_a_discount_on_one_model_replaces_the_general_one():
    text = '[prices]\ndiscount = 0.15\n[prices.models."claude-sonnet-4-5"]\ndiscount = 0.5\n'
    assert price(text, "claude-sonnet-4-5") == 9  # (3 + 15) × 0.5
    assert price(text, "claude-haiku-4-5") == Decimal("5.1")  # (1 + 5) × 0.85


def test_a_discount_applies_from_its_date_on():
    text = "[prices]\ndiscount = 0.5\nsince = 2026-07-01\n"
    midnight = datetime(2026, 7, 1, tzinfo=UTC)
    assert price(text, "claude-sonnet-4-5", at=midnight - timedelta(seconds=1)) == 18
    assert price(text, "claude-sonnet-4-5", at=midnight) == 9
    with pytest.raises(PriceUnknownError, match="date unknown"):
        price(text, "claude-sonnet-4-5", at=None)


def test_own_rates_override_the_price_table_from_their_date_on():
    text = """
[[prices.models."claude-sonnet-4-5"]]
input = 2
output = 8
since = 2026-09-01

[[prices.models."claude-sonnet-4-5"]]
input = 1
output = 4
since = 2026-08-01
"""
    days = [datetime(2026, month, 15, tzinfo=UTC) for month in (7, 8, 9)]
    # the list price of 3 and 15, then the two own prices, whatever their order in the file
    assert [price(text, "claude-sonnet-4-5", at=day) for day in days] == [18, 5, 10]


def test_a_private_model_is_unpriced_before_its_first_date_and_without_a_date():
    text = OWN + "since = 2026-07-01\n"
    assert price(text) == Decimal("11.25")
    for at in (datetime(2026, 6, 30, tzinfo=UTC), None):
        with pytest.raises(PriceUnknownError):
            price(text, at=at)


@pytest.mark.parametrize(
    "name",
    [
        "claude-sonnet-4-5-20250929",
        "Claude-Sonnet-4-5[1m]",
        "anthropic/claude-sonnet-4-5",
        "vertex_ai/claude-sonnet-4-5@20250929",
    ],
)
def test_an_own_price_covers_the_spellings_of_its_model(name):
    assert price('[prices.models."claude-sonnet-4-5"]\ninput = 1\noutput = 1\n', name) == 2


@pytest.mark.parametrize("name", ["claude-sonnet-4", f"{PRIVATE}-2", f"other/{PRIVATE}", "my-private"])
def test_an_own_price_covers_no_other_model(name):
    with_own = '[prices.models."claude-sonnet-4-5"]\ninput = 1\noutput = 1\n' + OWN
    if name.startswith("claude"):
        assert price(with_own, name) == 18
    else:
        with pytest.raises(PriceUnknownError, match="no price is known"):
            price(with_own, name)


def test_a_bedrock_endpoint_keeps_its_own_price():
    text = '[prices.models."claude-sonnet-4-5"]\ninput = 1\noutput = 1\n'
    regional = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert price(text, regional) == price("", regional)


def test_a_long_request_costs_the_own_rate():
    text = '[prices.models."claude-sonnet-4-5"]\ninput = 1\noutput = 1\n'
    long = TokenUsage(input=300_000)
    assert price(text, "claude-sonnet-4-5", long, one_request=True) == Decimal("0.3")


def test_fast_mode_costs_the_own_factor():
    assert price(OWN + "fast_factor = 6\n", terms=FAST) == Decimal("67.5")  # 11.25 × 6
    assert price(OWN + "fast_factor = 6\n") == Decimal("11.25")
    with pytest.raises(PriceUnknownError, match="no price is known for speed fast"):
        price(OWN, terms=FAST)


def test_a_factor_alone_multiplies_the_list_price_with_its_discount():
    text = '[prices]\ndiscount = 0.5\n[prices.models."claude-sonnet-4-6"]\nfast_factor = 3\n'
    assert price(text, "claude-sonnet-4-6", terms=FAST) == 27  # (3 + 15) × 0.5 × 3
    assert price(text, "claude-sonnet-4-6") == 9


def test_an_own_factor_replaces_that_of_the_table():
    text = '[prices.models."claude-opus-4-8"]\nfast_factor = 3\n'
    listed = price("", "claude-opus-4-8")
    assert price("", "claude-opus-4-8", terms=FAST) == 2 * listed
    assert price(text, "claude-opus-4-8", terms=FAST) == 3 * listed


def test_batches_of_a_known_model_cost_half_of_the_own_rates():
    text = '[prices.models."claude-sonnet-4-5"]\ninput = 1\noutput = 1\n'
    assert price(text, "claude-sonnet-4-5", terms=Terms(processing="batch")) == 1


# --- version


def test_the_price_version_names_the_own_prices_in_any_order():
    other = '[prices.models."other"]\noutput = 2.0\ninput = 1\n'
    table = version("")
    assert "own" not in table
    both = version(OWN + other)
    assert both.startswith(f"{table}+own.")
    assert version(other.replace("2.0", "2") + OWN) == both
    assert len({table, both, version(OWN), version(OWN.replace("1.25", "1.26")), version(other)}) == 5


# --- the config file


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[prices]\ndiscont = 0.1", "prices: unknown key 'discont'; allowed: discount, since, models"),
        ("[prices]\ndiscount = 15", "prices.discount: 15 is not a share from 0 to below 1"),
        ("[prices]\ndiscount = -0.1", "prices.discount: -0.1 is not a share"),
        ("[prices]\nsince = 2026-01-01", "prices.since: there is no discount"),
        ("[prices]\ndiscount = 0.1\nsince = 1", "prices.since: "),
        ("prices = 3", "expected a table [prices]"),
        ("[prices.models]\nm = 3", "expected a table [prices.models.m]"),
        ("[prices.models.m]\n", "prices.models.m: no price; allowed: input, output"),
        ("[prices.models.m]\nsince = 2026-01-01\n", "prices.models.m: no price"),
        ("[prices.models.m]\ninput = 1", "prices.models.m: own rates need both input and output"),
        ("[prices.models.m]\ncache_read = 1", "prices.models.m: own rates need input and output"),
        (
            "[prices.models.m]\ninput = -1\noutput = 1",
            "prices.models.m.input: -1 is not a price in US dollars",
        ),
        ("[prices.models.m]\ninput = 1e6\noutput = 1", "prices.models.m.input: 1e+6 is not a price"),
        ("[prices.models.m]\ninput = nan\noutput = 1", "prices.models.m.input: nan is not a price"),
        ("[prices.models.m]\ninput = true\noutput = 1", "prices.models.m.input: true is not a price"),
        ('[prices.models.m]\ninput = "1"\noutput = 1', "prices.models.m.input: '1' is not a price"),
        ("[prices.models.m]\ninput = 1\noutput = 1\nfast = 2", "prices.models.m: unknown key 'fast'"),
        ("[prices.models.m]\nfast_factor = 0", "prices.models.m.fast_factor: 0 is not a factor above 0"),
        ("[prices.models.m]\ninput = 1\noutput = 1\ndiscount = 0.1", "remove discount"),
        ("[prices.models.m]\ndiscount = 0.1\n[prices.models.M]\ndiscount = 0.1", "is there twice"),
        ("[[prices.models.m]]\ndiscount = 0.1\n[[prices.models.m]]\ndiscount = 0.2", "have no `since`"),
        ('[prices.models." "]\ndiscount = 0.1', "a model has no name"),
    ],
)
def test_an_invalid_price_is_an_error_that_names_file_and_key(text, message, agents):
    config(text)
    for ask in (configured_prices, load_config, lambda: folder_costs(agents)):
        with pytest.raises(ConfigError) as error:
            ask()
        assert str(error.value).startswith("workflow-history.toml: ")
        assert message in str(error.value)


def test_two_prices_of_one_day_are_an_error():
    entry = "[[prices.models.m]]\ndiscount = 0.1\nsince = 2026-01-01\n"
    with pytest.raises(ConfigError, match="two prices are from 2026-01-01 on"):
        price(entry + entry)


def test_other_tables_of_the_file_do_not_matter_to_prices():
    assert price("[budget]\nnonsense = 1\n" + OWN) == Decimal("11.25")


# --- stored and folder costs


def test_stored_and_folder_costs_use_the_same_own_prices(agents):
    assert folder_costs(agents)["unpriced_models"] == [PRIVATE]
    config(OWN)
    # 1,000 × 1.25 + 1,000 × 10 per million, next to the reported 0.50
    totals = folder_costs(agents)
    assert (totals["recorded_cost"], totals["unpriced_models"]) == (0.51125, [])
    sync_workflow_history(silent=True, agents_dir=agents)
    computed, reported = stored("computed1"), stored("reported1")
    assert (computed["total_cost"], computed["cost_basis"]) == (0.01125, "computed")
    assert (reported["total_cost"], reported["cost_basis"]) == (0.5, "reported")
    assert computed["price_version"] == version(OWN)


def test_a_discount_changes_computed_costs_and_never_reported_ones(agents):
    sync_workflow_history(silent=True, agents_dir=agents)
    before = stored("reported1")
    config("[prices]\ndiscount = 0.5\n")
    resync_all_completed_workflows()
    after = stored("reported1")
    assert after["total_cost"] == before["total_cost"] == 0.5
    assert after["computed_cost"] == pytest.approx(before["computed_cost"] / 2, abs=1e-9)


def test_reprice_applies_changed_prices_also_lower_ones(agents):
    sync_workflow_history(silent=True, agents_dir=agents)
    assert stored("computed1")["cost_basis"] == "unpriced"
    for rate, cost in (("10", 0.01125), ("100", 0.10125), ("1", 0.00225)):
        config(OWN.replace("output = 10", f"output = {rate}"))
        sync_workflow_history(silent=True, agents_dir=agents)  # unchanged files are not read again
        assert resync_workflow_cost("computed1")["updated"]
        assert stored("computed1")["total_cost"] == cost
        assert not resync_workflow_cost("computed1")["updated"]
    Path("workflow-history.toml").unlink()
    resync_workflow_cost("computed1")
    assert stored("computed1")["cost_basis"] == "unpriced"
    assert stored("computed1")["price_version"] == price_version()


def test_prices_differ_before_and_after_a_date_within_one_transcript(tmp_path):
    folder = tmp_path / "dated" / "agents"
    home = run(folder, "dated1", {"status": "completed"})
    day = timedelta(days=1).total_seconds()
    session = Session("dated").says("Add it").answers("m1", model=PRIVATE).answers("m2", day, model=PRIVATE)
    session.write_to(home / "planner" / "raw_output.jsonl")
    tomorrow = (BEGAN + timedelta(days=1)).date()
    entry = f'[[prices.models."{PRIVATE}"]]\n'
    config(f"{entry}input = 1\noutput = 1\n{entry}input = 10\noutput = 10\nsince = {tomorrow}\n")
    assert folder_costs(folder)["recorded_cost"] == 0.022  # 2,000 × 1 + 2,000 × 10 per million


# --- workers


@pytest.fixture
def many(tmp_path: Path) -> Path:
    folder = tmp_path / "many" / "agents"
    for number in range(6):
        private_run(folder, f"computed{number}")
    return folder


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start processes for any work, and let them find another config file."""
    monkeypatch.setattr(process_pool, "MIN_PARALLEL_SECONDS", 0.0)
    monkeypatch.setattr(process_pool, "cpu_count", lambda: 2)
    start, parent = process_pool._init_worker, os.getpid()

    def init_worker() -> None:
        assert os.getpid() != parent
        os.environ["WORKFLOW_HISTORY_CONFIG"] = "nowhere.toml"
        start()

    monkeypatch.setattr(process_pool, "_init_worker", init_worker)
    return


@pytest.mark.usefixtures("processes")
def test_processes_use_the_prices_of_the_sync(many):
    config(OWN)
    sync_workflow_history(silent=True, agents_dir=many, engine="processes:2")
    assert {run["total_cost"] for run in history()} == {0.01125}
    assert folder_costs(many)["recorded_cost"] == 0.0675


def test_threads_use_the_prices_of_the_sync(many):
    config(OWN)
    with ThreadPoolExecutor(2) as pool:
        sync_workflow_history(silent=True, agents_dir=many, executor=pool)
    assert {run["total_cost"] for run in history()} == {0.01125}


def test_own_prices_travel_with_a_task():
    config(OWN)
    prices = configured_prices()
    received = pickle.loads(pickle.dumps(prices))  # noqa: S301 - ours
    assert (received, received.models, received.discount) == (prices, prices.models, prices.discount)


# --- what is shown


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "120"})


def test_explain_names_the_config_file_and_the_key(agents, here):
    config(OWN)
    sync_workflow_history(silent=True, agents_dir=agents)
    place = f"{here / 'workflow-history.toml'}: prices.models.{PRIVATE}"
    (part,) = explain_run("computed1", "cost").parts
    (calculation,) = part.arithmetic
    assert (calculation.own_price, calculation.total, calculation.why) == (place, 0.01125, None)
    assert f"own price: {place}" in invoke("explain", "computed1", "cost").output
    shown = json.loads(invoke("explain", "computed1", "cost", "--json").output)
    assert shown["prices"]["same"] is True
    assert (
        f"own prices {shown['prices']['stored'].partition('+own.')[2]}" in invoke("show", "computed1").output
    )


def test_explain_names_a_discount_and_prices_that_changed_since(agents, here):
    sync_workflow_history(silent=True, agents_dir=agents)
    config("[prices]\ndiscount = 0.5\n")
    explained = explain_run("reported1", "cost")
    assert explained.parts[0].arithmetic[0].own_price == f"{here / 'workflow-history.toml'}: prices.discount"
    assert explained.prices is not None
    assert not explained.prices.same


def test_config_show_prints_own_prices():
    config(OWN)
    assert "cache_read = 0.125" in invoke("config", "show").output
    assert (
        json.loads(invoke("config", "show", "--json").output)["content"]["prices"]["models"][PRIVATE][
            "output"
        ]
        == 10
    )


def test_an_invalid_price_ends_cost_and_sync_with_exit_code_2(agents):
    config("[prices]\ndiscount = 15\n")
    for command in ("cost", "sync"):
        outcome = invoke(command, str(agents))
        assert outcome.exit_code == 2
        assert "prices.discount: 15 is not a share" in outcome.output
