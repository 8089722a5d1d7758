"""Settings: precedence, errors that name the fix, contradictions, secrets."""

from pathlib import Path

import pytest
import rich.pretty
from hypothesis import given
from hypothesis import strategies as st

from agents.settings import Settings, SettingsError, load, load_with_origins
from agents.sources import read_dotenv


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(**variables: str) -> SettingsError:
    """Load with these LIVEPULSE_* variables and return the error."""
    env = {f"LIVEPULSE_{name.upper()}": value for name, value in variables.items()}
    with pytest.raises(SettingsError) as caught:
        load(env=env)
    return caught.value


# --- sources ---------------------------------------------------------------------------------


def test_defaults_need_no_source() -> None:
    """With nothing given, every setting has its default."""
    assert load(env={}) == Settings()


def test_precedence_is_environment_dotenv_toml_default() -> None:
    """Of four settings, each comes from the strongest source that gives it."""
    Path("livepulse.toml").write_text('app_id = "toml"\npartitions = 2\nmetrics_port = 1\n')
    Path(".env").write_text("LIVEPULSE_APP_ID=dotenv\nLIVEPULSE_PARTITIONS=3\n")
    settings, origins = load_with_origins(env={"LIVEPULSE_APP_ID": "environment"})
    assert (settings.app_id, settings.partitions, settings.metrics_port) == ("environment", 3, 1)
    assert origins["app_id"] == "environment"
    assert origins["partitions"] == ".env"
    assert origins["metrics_port"] == "livepulse.toml"
    assert origins["redis_url"] == "default"


def test_config_variable_names_the_toml_file() -> None:
    """LIVEPULSE_CONFIG replaces livepulse.toml."""
    Path("livepulse.toml").write_text('app_id = "wrong"\n')
    Path("other.toml").write_text('app_id = "right"\n')
    assert load(env={"LIVEPULSE_CONFIG": "other.toml"}).app_id == "right"


def test_named_file_must_exist() -> None:
    """A file that was named but is not there is an error, not a default."""
    assert "there is no file gone.toml" in str(refused(config="gone.toml"))


def test_policy_is_merged_value_by_value() -> None:
    """The environment may change one value of a policy whose table is in the TOML file."""
    Path("livepulse.toml").write_text("[policy]\ncart_age_ms = 1\ngrace_ms = 2\n")
    policy = load(env={"LIVEPULSE_POLICY_CART_AGE_MS": "7"}).policy
    assert (policy.cart_age_ms, policy.grace_ms) == (7, 2)


def test_topics_are_json_in_a_variable_and_a_table_in_toml() -> None:
    """Both ways of writing the topics mean the same."""
    Path("livepulse.toml").write_text('[topics]\nCartAdded = "shop.carts"\n')
    from_table = load(env={})
    from_json = load(env={"LIVEPULSE_TOPICS": '{"CartAdded": "shop.carts"}'})
    assert from_table == from_json
    assert from_table.topic_of("CartAdded") == "shop.carts"


def test_empty_variable_counts_as_not_given() -> None:
    """Compose files pass empty strings for what is not set."""
    assert load(env={"LIVEPULSE_REDIS_PASSWORD": ""}).redis_password is None


def test_variables_of_tests_are_left_alone() -> None:
    """LIVEPULSE_TEST_* belongs to the test suite."""
    assert load(env={"LIVEPULSE_TEST_KAFKA": "x"}) == Settings()


def test_choices_may_be_written_in_any_case() -> None:
    """People write `info` and `Ssl`."""
    env = {"LIVEPULSE_LOG_LEVEL": "debug", "LIVEPULSE_KAFKA_SECURITY_PROTOCOL": "Ssl"}
    settings = load(env=env)
    assert (settings.log_level, settings.kafka_security_protocol) == ("DEBUG", "SSL")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters='"')))
def test_quoted_dotenv_values_come_back_as_written(
    tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    """Whatever stands between double quotes is the value: spaces, #, = and quotes of one kind."""
    path = tmp_path_factory.getbasetemp() / "quoted.env"
    path.write_text(f'export LIVEPULSE_X="{value}" # comment\n', encoding="utf-8")
    assert read_dotenv(path) == {"LIVEPULSE_X": value}


def test_dotenv_understands_comments_and_blanks(tmp_path: Path) -> None:
    """Comments, blank lines and spaces around the value are not part of it."""
    path = tmp_path / "x.env"
    path.write_text("# all\n\nA = one # two\nB='x # y'\nC=a#b\n")
    assert read_dotenv(path) == {"A": "one", "B": "x # y", "C": "a#b"}


# --- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "named", "told"),
    [
        ({"partition": "3"}, "LIVEPULSE_PARTITION", "did you mean LIVEPULSE_PARTITIONS"),
        ({"policy_cart_age": "3"}, "LIVEPULSE_POLICY_CART_AGE", "LIVEPULSE_POLICY_CART_AGE_MS"),
        ({"partitions": "many"}, "LIVEPULSE_PARTITIONS", "a value like 4"),
        ({"partitions": "0"}, "LIVEPULSE_PARTITIONS", ">= 1"),
        ({"log_level": "loud"}, "LIVEPULSE_LOG_LEVEL", "one of DEBUG, INFO"),
        ({"topics": "carts"}, "LIVEPULSE_TOPICS", '{"CartAdded": "shop.carts"}'),
        ({"topics": '{"CartAdd": "x"}'}, "LIVEPULSE_TOPICS", "did you mean 'CartAdded'"),
        ({"topics": '{"CartAdded": "a b"}'}, "LIVEPULSE_TOPICS", "cannot be the name"),
        ({"topic_prefix": "a/"}, "LIVEPULSE_TOPIC_PREFIX", "cannot be the name"),
        ({"kafka_bootstrap": "kafka"}, "LIVEPULSE_KAFKA_BOOTSTRAP", "host:port"),
        ({"kafka_bootstrap": "kafka://k:1"}, "LIVEPULSE_KAFKA_BOOTSTRAP", "host:port"),
        ({"kafka_bootstrap": "k:1,k:70000"}, "LIVEPULSE_KAFKA_BOOTSTRAP", "host:port"),
        ({"redis_url": "localhost:6379"}, "LIVEPULSE_REDIS_URL", "redis://host:port/db"),
        ({"redis_url": "redis://h:port"}, "LIVEPULSE_REDIS_URL", "redis://host:port/db"),
        ({"policy_grace_ms": "-1"}, "LIVEPULSE_POLICY_GRACE_MS", "zero or more"),
        ({"policy_churn_on": "0.4"}, "LIVEPULSE_POLICY_CHURN_ON", "churn_off < churn_on"),
    ],
)
def test_errors_name_the_variable_the_source_and_the_fix(
    variables: dict[str, str], named: str, told: str
) -> None:
    """Whatever is wrong, the message says which variable, where it was set, and what to do."""
    error = refused(**variables)
    assert error.variable == named
    assert error.source == "environment"
    assert told in str(error)


def test_unknown_toml_key_names_the_nearest() -> None:
    """A TOML key is reported as it is written in the file, with the file."""
    Path("livepulse.toml").write_text("[policy]\ncart_age_sm = 1\n")
    error = refused()
    assert (error.variable, error.source) == ("policy.cart_age_sm", "livepulse.toml")
    assert "policy.cart_age_ms" in error.fix


@pytest.mark.parametrize("text", ["partitions = ", "policy = 3", "partitions = '3'"])
def test_wrong_toml_is_an_error_with_the_file(text: str) -> None:
    """Bad syntax, a value for a table and text for a number are told, never guessed."""
    Path("livepulse.toml").write_text(text)
    assert refused().source == "livepulse.toml"


def test_dotenv_line_without_equals_is_an_error() -> None:
    """The line number of a broken .env line is named."""
    Path(".env").write_text("# one\nLIVEPULSE_APP_ID\n")
    assert refused().variable == "line 2"


def test_missing_partner_is_told_as_not_set() -> None:
    """An error about a variable that nobody set says so."""
    error = refused(kafka_security_protocol="SASL_SSL", kafka_sasl_mechanism="PLAIN")
    assert (error.variable, error.source) == ("LIVEPULSE_KAFKA_SASL_USERNAME", "not set")


SASL = {
    "kafka_sasl_mechanism": "SCRAM-SHA-512",
    "kafka_sasl_username": "u",
    "kafka_sasl_password": "hush",
}


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        (SASL, "KAFKA_SASL_MECHANISM"),
        ({"kafka_sasl_password": "x"}, "KAFKA_SASL_PASSWORD"),
        (
            SASL | {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_bootstrap": "k:9092"},
            "KAFKA_SECURITY_PROTOCOL",
        ),
        ({"kafka_ssl_ca_file": "ca.pem"}, "KAFKA_SSL_CA_FILE"),
        (
            {"kafka_security_protocol": "SSL", "kafka_ssl_cert_file": "c.pem"},
            "KAFKA_SSL_CERT_FILE",
        ),
        ({"kafka_security_protocol": "SSL", "kafka_ssl_key_file": "k.pem"}, "KAFKA_SSL_KEY_FILE"),
        ({"kafka_ssl_key_password": "x"}, "KAFKA_SSL_KEY_PASSWORD"),
        ({"kafka_security_protocol": "SSL", "kafka_ssl_ca_file": "gone"}, "KAFKA_SSL_CA_FILE"),
        ({"redis_username": "u"}, "REDIS_USERNAME"),
        ({"redis_ssl_ca_file": "ca.pem"}, "REDIS_SSL_CA_FILE"),
        ({"redis_url": "redis://:a@h:1/0", "redis_password": "b"}, "REDIS_PASSWORD"),
    ],
)
def test_half_set_security_is_refused(variables: dict[str, str], named: str) -> None:
    """Nothing that was meant to protect may silently have no effect."""
    assert refused(**variables).variable == f"LIVEPULSE_{named}"


def test_sasl_plaintext_is_allowed_on_loopback() -> None:
    """A password may go in the clear where it does not leave the machine."""
    settings = Settings(
        kafka_bootstrap="localhost:9092,127.0.0.1:9093,[::1]:9094",
        kafka_security_protocol="SASL_PLAINTEXT",
        kafka_sasl_mechanism="PLAIN",
        kafka_sasl_username="u",
        kafka_sasl_password="p",
    )
    assert settings.aiokafka_config()["sasl_plain_password"] == "p"


@pytest.mark.parametrize(
    ("topics", "refuses"),
    [
        ('{"CartAdded": "shop", "OrderPaid": "shop"}', False),
        ('{"CouponTrigger": "out", "RecommendationTrigger": "out"}', False),
        ('{"CartAdded": "shop", "StockChanged": "shop"}', True),
        ('{"CartAdded": "live.triggers.coupons"}', True),
        ('{"ConversionRow": "live.state"}', True),
        ('{"CouponTrigger": "live.conversion"}', True),
    ],
)
def test_only_types_of_one_family_share_a_topic(topics: str, refuses: bool) -> None:  # noqa: FBT001 - a parameter of the table above
    """Viewers' and host's, inputs and outputs, compacted and not: each to its own topic."""
    if refuses:
        assert "would mix" in refused(topics=topics).problem
    else:
        assert load(env={"LIVEPULSE_TOPICS": topics}).topics


# --- secrets and clients -----------------------------------------------------------------------

SECRET = "hush-hush"


@pytest.mark.parametrize(
    "settings",
    [
        Settings(redis_password=SECRET),
        Settings(redis_url=f"redis://user:{SECRET}@h:1/0"),
        Settings(redis_url=f"redis://:a@b{SECRET}@h:1/0"),
        Settings(redis_url=f"redis://h:1/0?password={SECRET}"),
        Settings(
            kafka_security_protocol="SASL_SSL",
            kafka_sasl_mechanism="PLAIN",
            kafka_sasl_username="u",
            kafka_sasl_password=SECRET,
            kafka_ssl_key_file="k",
            kafka_ssl_cert_file="c",
            kafka_ssl_key_password=SECRET,
        ),
    ],
)
def test_secrets_are_never_shown(settings: Settings) -> None:
    """Neither repr, str, rich nor the values for `config show` contain a secret."""
    shown = (repr(settings), str(settings), rich.pretty.pretty_repr(settings), settings.masked())
    assert SECRET not in "".join(map(str, shown))
    assert "***" in repr(settings)


def test_errors_do_not_quote_secrets() -> None:
    """A password of the wrong type is reported without its value."""
    Path("livepulse.toml").write_text("redis_password = 424242\n")
    assert "424242" not in str(refused())


def test_every_client_gets_the_same_broker() -> None:
    """The four configurations come from one source."""
    settings = Settings(kafka_bootstrap="a:1, b:2", redis_username="u", redis_password="p")
    assert settings.aiokafka_config()["bootstrap_servers"] == ["a:1", "b:2"]
    assert settings.kafka_python_config()["bootstrap_servers"] == ["a:1", "b:2"]
    assert settings.confluent_config() == {
        "bootstrap.servers": "a:1, b:2",
        "security.protocol": "PLAINTEXT",
    }
    assert settings.redis_config() == {
        "url": "redis://127.0.0.1:6379/0",
        "username": "u",
        "password": "p",
    }


def test_tls_gets_a_context_that_checks_host_names() -> None:
    """SASL_SSL without a context would silently be plaintext in Faust; there always is one."""
    context = Settings(kafka_security_protocol="SSL").aiokafka_config()["ssl_context"]
    assert context.check_hostname


def test_certificate_that_is_none_is_told(tmp_path: Path) -> None:
    """A file that holds no certificate is an error that names its variable."""
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text("not a certificate")
    settings = Settings(kafka_security_protocol="SSL", kafka_ssl_ca_file=str(ca_file))
    with pytest.raises(SettingsError, match="LIVEPULSE_KAFKA_SSL_CA_FILE"):
        settings.aiokafka_config()


def test_topic_of_an_unknown_name_is_an_error() -> None:
    """A misspelt name in our own code is found at once."""
    with pytest.raises(LookupError, match="did you mean 'CartAdded'"):
        Settings().topic_of("CartAddd")
