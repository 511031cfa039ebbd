"""Generate texts with secrets in all forms in which they occur.

Every value is random and generated on demand. This file contains no complete key, so that secret scanners
find none: "\u00b7" in a template is removed and only splits the prefix of a key.
"""

from __future__ import annotations

import json
import random
import re
import string
from base64 import b64encode
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote

MIXED = string.ascii_letters + string.digits
LOWER = string.ascii_lowercase + string.digits


class Shape(NamedTuple):
    """A text that contains a secret."""

    name: str
    text: str
    secrets: tuple[str, ...]  # strings that must be redacted; every piece if the secret is split


def _letters(dice: random.Random, alphabet: str, count: int) -> str:
    """Return random characters; 12 or more include two digits if allowed, as in nearly all real keys."""
    while True:
        made = "".join(dice.choice(alphabet) for _ in range(count))
        if count < 12 or not (set(alphabet) & set(string.digits)) or sum(map(str.isdigit, made)) >= 2:
            return made


_SYLLABLES = ("ka", "lo", "mi", "ru", "te", "zo", "bra", "fen", "gul", "pex", "vid", "wob")


def _word(dice: random.Random) -> str:
    return "".join(dice.choice(_SYLLABLES) for _ in range(4))


MAKERS: dict[str, Callable[[random.Random], str]] = {
    "pw": lambda dice: f"{_word(dice)}{dice.randint(10, 99)}{dice.choice('!#?')}{dice.choice('xyz')}",  # as people choose it  # noqa: E501
    "simple": lambda dice: f"{_word(dice)}{dice.randint(100, 999)}",
    "word": _word,
    "dashes": lambda dice: "-".join(_word(dice) for _ in range(3)),
    "uuid": lambda dice: "-".join(_letters(dice, "0123456789abcdef", count) for count in (8, 4, 4, 4, 12)),
    "hex32": lambda dice: _letters(dice, "0123456789abcdef", 32),
    "hex40": lambda dice: _letters(dice, "0123456789abcdef", 40),
    "hex64": lambda dice: _letters(dice, "0123456789abcdef", 64),
    "r16": lambda dice: _letters(dice, MIXED, 16),
    "r20": lambda dice: _letters(dice, MIXED, 20),
    "r22": lambda dice: _letters(dice, MIXED, 22),
    "r24": lambda dice: _letters(dice, MIXED, 24),
    "r32": lambda dice: _letters(dice, MIXED, 32),
    "r36": lambda dice: _letters(dice, MIXED, 36),
    "r40": lambda dice: _letters(dice, MIXED, 40),
    "r48": lambda dice: _letters(dice, MIXED, 48),
    "r64": lambda dice: _letters(dice, MIXED, 64),
    "r95": lambda dice: _letters(dice, MIXED, 95),
    "up16": lambda dice: _letters(dice, string.ascii_uppercase + "234567", 16),
    "low32": lambda dice: _letters(dice, LOWER, 32),
    "b64": lambda dice: b64encode(dice.randbytes(30)).decode(),
    "login": lambda dice: b64encode(f"bob:{_word(dice)}{dice.randint(10, 99)}".encode()).decode(),
    "line": lambda dice: _letters(dice, MIXED + "+/", 64),
    "tail": lambda dice: _letters(dice, MIXED + "+/", 38) + "==",
    "digits9": lambda dice: str(dice.randint(10**8, 10**9 - 1)),
    "phrase": lambda dice: " ".join(dice.choice(("apple", "river", "stone", "cloud", "tiger", "maple", "ocean", "lemon"))  # noqa: E501
                                    for _ in range(12)),
}  # fmt: skip

TEMPLATES = {
    # names and values
    "env": "PASSWORD=<pw>",
    "env of words": "PASSWORD=<dashes>",
    "env of one word": "DB_PASSWORD=<word>",
    "env in quotes": 'export API_TOKEN="<r32>"',
    "env in single quotes": "export SECRET_KEY='<r40>'",
    "env uuid": "HEROKU_API_KEY=<uuid>",
    "env hex": "SESSION_SECRET=<hex64>",
    "env file": "HOST=db\nDB_USER=app\nDB_PASS=<simple>\nPORT=5432",
    "yaml": "password: <pw>",
    "yaml word": "user: bob\npassword: <word>\nport: 1",
    "yaml words": "db:\n  password: <dashes>\n",
    "yaml quoted": "password: '<pw>'",
    "yaml double quoted": 'api_key: "<r32>"',
    "yaml block": "password: |\n  <r20>\n",
    "yaml folded": "token: >-\n  <r32>\nnext: 1",
    "yaml name and value": "- name: DB_PASSWORD\n  value: <simple>\n",
    "yaml secret of kubernetes": "kind: Secret\ndata:\n  password: <b64>\n",
    "yaml stringData": "stringData:\n  API_TOKEN: <r24>\n",
    "yaml list": "- password: <simple>\n- host: x",
    "json": '{"user": "bob", "password": "<pw>"}',
    "json word": '{"password": "<word>"}',
    "json camel": '{"clientSecret": "<r32>"}',
    "json api key uuid": '{"apiKey": "<uuid>"}',
    "json access token": '{"access_token":"<r40>","expires_in":3600}',
    "json name and value": '{"name": "DB_PASSWORD", "value": "<simple>"}',
    "json in json": '{"body": "{\\"password\\": \\"<pw>\\"}"}',
    "json in json in json": '"{\\\\\\"token\\\\\\":\\\\\\"<r32>\\\\\\"}"',
    "json unicode quotes": "{\\u0022password\\u0022:\\u0022<pw>\\u0022}",
    "xml": "<password><pw></password>",
    "xml word": "<config><Password><word></Password></config>",
    "xml attribute": '<add key="DbPassword" value="<pw>"/>',
    "xml property": '<property name="hibernate.password" value="<simple>"/>',
    "xml entry": '<entry key="api_token"><r32></entry>',
    "xml string": '<string name="api_key"><r32></string>',
    "xml cdata": "<password><![CDATA[<pw>]]></password>",
    "xml attribute of its own": '<user name="bob" password="<simple>"/>',
    "maven": "<server><id>x</id><username>u</username><password><simple></password></server>",
    "plist": "<key>ApiToken</key>\n<string><r32></string>",
    "html entities": "{&quot;password&quot;: &quot;<simple>&quot;}",
    "ini": "[db]\npassword = <simple>\nuser = x",
    "ini word": "[db]\npassword = <word>\n",
    "properties": "spring.datasource.password=<simple>",
    "toml": 'secret_key = "<r40>"',
    "python": 'password = "<word>"',
    "python argument": "connect(host='x', password='<simple>')",
    "python typed": 'api_key: str = "<r32>"',
    "python environ": 'os.environ["API_TOKEN"] = "<r24>"',
    "javascript": "const config = { password: '<simple>', user: 'x' }",
    "go": 'apiToken := "<r32>"',
    "rust": 'let password: &str = "<simple>";',
    "php": "define('DB_PASSWORD', '<simple>');",
    "php variable": "$db_password = '<pw>';",
    "php array": "'password' => '<simple>',",
    "ruby": ":password => '<simple>'",
    "c sharp": 'string Password = "<pw>";',
    "terraform": 'variable "db_password" {\n  default = "<simple>"\n}',
    "terraform plain": 'password = "<pw>"',
    "powershell": "$env:API_TOKEN = '<r32>'",
    "powershell secure": "ConvertTo-SecureString '<pw>' -AsPlainText",
    "batch set": "set DB_PASSWORD=<simple>",
    "setx": "setx API_TOKEN <r24>",
    "setx password": "setx DB_PASSWORD <simple>",
    "csh": "setenv DB_PASSWORD <simple>",
    "fish": "set -gx API_TOKEN <r24>",
    "dockerfile": "ENV DB_PASSWORD <simple>",
    "dockerfile arg": "ARG NPM_TOKEN=<r36>",
    "docker run": "docker run -e DB_PASSWORD=<simple> -p 80:80 app",
    "markdown table": "| DB_PASSWORD | <simple> |",
    "prose": "the password is <pw>, change it",
    "prose simple": "log in as bob, password: <simple>",
    "prose token": "use the token <r32> for it",
    "prose key": "our API key is <r32>.",
    "german": "Passwort: <pw>",
    "recovery phrase": "mnemonic: <phrase>",
    "pin": "DB_PASSWORD=<digits9>",
    # shell
    "set -x": "+ export DB_PASSWORD=<simple>",
    "set -x of a command": "++ curl -H 'Authorization: Bearer <r32>' https://x",
    "set -x bare": "+ TOKEN=<r24>",
    "set -x quoted": "+ API_KEY='<uuid>'",
    "option": "deploy --password <pw>",
    "option with sign": "deploy --password=<simple>",
    "option token": "curl --token <r32>",
    "option single dash": "keytool -storepass <simple> -keypass x",
    "mysql": "mysql -u root -p<simple> shop",
    "mysql quoted": "mysql -uroot -p'<pw>' shop",
    "mysql pwd": "MYSQL_PWD=<simple> mysql",
    "pgpassword": "PGPASSWORD=<simple> psql -h db",
    "sshpass": "sshpass -p '<pw>' ssh bob@host",
    "redis": "redis-cli -h x -a <simple> ping",
    "curl user": "curl -u bob:<simple> https://x/y",
    "curl user long": "curl --user 'bob:<pw>' https://x/y",
    "docker login": "docker login -u bob -p <simple> r.example",
    "stdin": "echo <simple> | docker login -u bob --password-stdin",
    "sudo": "echo '<pw>' | sudo -S apt-get install x",
    "chpasswd": "echo 'bob:<simple>' | chpasswd",
    "passin": "openssl rsa -in k.pem -passin pass:<simple>",
    "passout": "openssl genrsa -aes256 -passout pass:<word> 2048",
    "aws configure": "aws configure set aws_secret_access_key <r40>",
    "aws session": "aws_session_token = <r95>",
    "npm config": "npm config set //registry.example/:_authToken <uuid>",
    "heroku config": "heroku config:set API_TOKEN=<r24>",
    "gh secret": "gh secret set DEPLOY_TOKEN --body <r32>",
    "kubectl": "kubectl create secret generic x --from-literal=password=<simple>",
    "vault": "vault kv put secret/app password=<simple>",
    "htpasswd command": "htpasswd -bc .htpasswd bob <simple>",
    "zip": "zip -P <simple> a.zip b",
    "ldap": "ldapsearch -x -D cn=admin -w <simple> -b dc=x",
    "sql identified": "CREATE USER 'bob' IDENTIFIED BY '<pw>';",
    "sql password": "ALTER USER bob WITH PASSWORD '<simple>';",
    "git remote": "git remote set-url origin https://bob:<r20>@git.example/x.git",
    # password files
    "netrc": "machine api.example.org login bob password <simple>",
    "netrc lines": "machine api.example.org\n  login bob\n  password <word>\n",
    "pgpass": "db.example.org:5432:shop:bob:<simple>",
    "pgpass any": "*:*:*:bob:<pw>",
    "htpasswd": "bob:$apr1$<r20:8>$<r22>",
    "htpasswd bcrypt": "bob:$2y$10$<r64:53>",
    "shadow": "bob:$6$<r16>$<r95:86>:19000:0:99999:7:::",
    "npmrc": "//registry.example/:_authToken=<uuid>",
    "npmrc other host": "//npm.example.org/a/:_authToken=<r36>",
    "npmrc auth": "_auth=<login>",
    "npmrc password": "//npm.example.org/:_password=<b64>",
    "pypirc": "[pypi]\nusername = bob\npassword = <pw>",
    "docker config": '{"auths": {"r.example": {"auth": "<login>"}}}',
    "git credentials": "https://bob:<r20>@git.example.org",
    "kubeconfig": "users:\n- name: x\n  user:\n    token: <r64>\n",
    "kubeconfig key": "    client-key-data: <b64>",
    "aws credentials": "[default]\naws_access_key_id = AK·IA<up16>\naws_secret_access_key = <r40>",
    "wireguard": "PrivateKey = <b64>",
    # addresses and headers
    "url": "postgresql://app:<simple>@db:5432/shop",
    "url word": "redis://:<word>@cache:6379/0",
    "url with signs": "amqp://u:<pw>@mq/vhost",
    "url token": "https://<r40>@git.example.org/x.git",
    "url encoded": "https%3A%2F%2Fbob%3A<simple>%40git.example.org%2Fx",
    "url encoded field": "grant_type=password&username=bob&password%3D<simple>",
    "form": "username=bob&password=<simple>&go=1",
    "query": "https://api.example.org/x?access_token=<r32>&y=1",
    "query key": "https://maps.example.org/?q=1&key=<r40>",
    "query signature": "https://s3.example/x?X-Amz-Signature=<hex64>&X=1",
    "jdbc": "jdbc:mysql://db/shop?user=bob&password=<simple>",
    "dsn": "Server=db;Database=shop;User Id=sa;Password=<pw>;",
    "pwd in dsn": "DSN=x;UID=bob;PWD=<simple>",
    "libpq": "host=db user=bob password=<simple> dbname=shop",
    "bearer": "Authorization: Bearer <r40>",
    "bearer json": '{"Authorization": "Bearer <r40>"}',
    "basic": "Authorization: Basic <login>",
    "token header": "Authorization: token <hex40>",
    "api key header": "X-Api-Key: <r32>",
    "auth token header": "X-Auth-Token: <uuid>",
    "cookie": "Cookie: theme=dark; sessionid=<r32>; x=1",
    "azure storage": "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=<r64><r22:22>==",
    "slack webhook": "https://hooks.slack.com/services/T<up16:8>/B<up16:8>/<r24>",
    "discord webhook": "https://discord.com/api/webhooks/<digits9>/<r64>",
    # tokens with a known prefix
    "anthropic": "key sk-·ant-api03-<r95> is used",
    "openai": "sk-·proj-<r64>",
    "github": "gh·p_<r36>",
    "github fine": "github·_pat_<r22>_<r64:59>",
    "gitlab": "gl·pat-<r20>",
    "slack": "xox·b-<digits9>12-<digits9>12-<r24>",
    "google": "AI·za<r36:35>",
    "stripe": "sk·_live_<r24>",
    "sendgrid": "S·G.<r22>.<r64:43>",
    "npm": "np·m_<r36>",
    "hugging face": "h·f_<r36:34>",
    "digitalocean": "do·p_v1_<hex64>",
    "telegram": "<digits9>:A·A<r36:33>",
    "jwt": "ey·J<r20>.ey·J<r40>.<r48:43>",
    "vault token": "h·vs.<r95>",
    "doppler": "d·p.pt.<r48:43>",
    "linear": "lin·_api_<r40>",
    "postman": "PM·AK-<hex32:24>-<hex40:34>",
    "shopify": "shp·at_<hex32>",
    "databricks": "da·pi<hex32>",
    "grafana": "gl·sa_<r32>_<hex32:8>",
    "pulumi": "pu·l-<hex40>",
    "service by name": "DATADOG = '<hex40>' and datadog_key: <hex40>",
    "service by name two": "algolia_key = <low32>",
    # keys in files
    "pem": "-----BEGIN RSA ·PRIVATE KEY-----\n<line>\n<line>\n<tail>\n-----END RSA ·PRIVATE KEY-----",
    "pem without end": "-----BEGIN ·PRIVATE KEY-----\n<line>\n<line>\n<line>",
    "pem without begin": "<line>\n<line>\n<tail>\n-----END EC ·PRIVATE KEY-----",
    "pem cut in a line": "-----BEGIN OPENSSH ·PRIVATE KEY-----\n<line>\n<r20>",
    "pem numbered": "     1\t-----BEGIN ·PRIVATE KEY-----\n     2\t<line>\n     3\t<line>\n     4\t<tail>\n"
                    "     5\t-----END ·PRIVATE KEY-----",
    "pem numbered and cut": "     1\t-----BEGIN ·PRIVATE KEY-----\n     2\t<line>\n     3\t<line>",
    "pem of an agent's tool": "  1\u2192-----BEGIN ·PRIVATE KEY-----\n  2\u2192<line>\n  3\u2192<tail>\n",
    "pem of grep": "key.pem:1:-----BEGIN ·PRIVATE KEY-----\nkey.pem:2:<line>\nkey.pem:3:<line>",
    "pem of grep after": "1:-----BEGIN ·PRIVATE KEY-----\n2-<line>\n3-<line>\n4-<tail>",
    "pem of diff": "+-----BEGIN ·PRIVATE KEY-----\n+<line>\n+<tail>\n+-----END ·PRIVATE KEY-----",
    "pem quoted": "> -----BEGIN ·PRIVATE KEY-----\n> <line>\n> <tail>",
    "pem lower": "-----begin rsa ·private key-----\n<low32><low32>\n<low32><low32>\n-----end rsa ·private key-----",  # noqa: E501
    "pem lower and cut": "-----begin ·private key-----\n<low32><low32>\n<low32>",
    "pem escaped": '{"private_key": "-----BEGIN ·PRIVATE KEY-----\\n<line>\\n<tail>\\n-----END ·PRIVATE KEY-----\\n"}',  # noqa: E501
    "pem escaped twice": "-----BEGIN ·PRIVATE KEY-----\\\\n<line>\\\\n<tail>\\\\n",
    "pem in one line": "-----BEGIN ·PRIVATE KEY----- <line> <line> <tail> -----END ·PRIVATE KEY-----",
    "pem in yaml": "key: |\n    -----BEGIN ·PRIVATE KEY-----\n    <line>\n    <tail>\n    -----END ·PRIVATE KEY-----",  # noqa: E501
    "pem encrypted": "-----BEGIN RSA ·PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n<line>\n<tail>",  # noqa: E501
    "pgp": "-----BEGIN PGP ·PRIVATE KEY BLOCK-----\nVersion: X\n\n<line>\n<line>\n=ab1d\n-----END PGP ·PRIVATE KEY BLOCK-----",  # noqa: E501
    "pgp cut": "-----BEGIN PGP ·PRIVATE KEY BLOCK-----\n\n<line>\n<line>\n",
    "putty": "PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nPrivate-Lines: 2\n<line>\n<tail>\nPrivate-MAC: <hex40>",  # noqa: E501
    "putty numbered": "3\tPrivate-Lines: 2\n4\t<line>\n5\t<tail>\n6\tPrivate-MAC: <hex40>",
    "openssh without lines": "b3BlbnNza·C1rZXktdjE<r40>\n<line>\n<tail>",
}  # fmt: skip
"""Templates of texts whose secrets are in one piece, by name."""

_SLOT = re.compile(r"<(\w+)(?::(\d+))?>")


def _filled(name: str, template: str, dice: random.Random) -> Shape:
    secrets: list[str] = []

    def made(slot: re.Match[str]) -> str:
        value = MAKERS[slot[1]](dice)
        value = value[: int(slot[2])] if slot[2] else value
        secrets.append(value)
        return value

    slots = re.compile("|".join(rf"<{maker}(?::\d+)?>" for maker in MAKERS))
    text = slots.sub(lambda slot: made(_SLOT.fullmatch(slot[0])), template.replace("\u00b7", ""))  # type: ignore[arg-type]
    return Shape(name, text, tuple(secrets))


def _token(dice: random.Random) -> tuple[str, str, str]:
    """Return the prefix of a key and two halves of the rest."""
    return "gh" + "p_", MAKERS["r20"](dice)[:18], MAKERS["r20"](dice)[:18]


def _split(dice: random.Random) -> list[Shape]:
    """Return shapes whose secret is split or encoded."""
    found = []

    def add(name: str, text: Callable[[str, str, str], str]) -> None:
        begin, first, second = _token(dice)
        found.append(Shape(name, text(begin, first, second), (first, second)))

    add("token in colours", lambda b, x, y: f"\x1b[31m{b}{x}\x1b[0m{y}")
    add("token in written colours", lambda b, x, y: f"\\u001b[31m{b}{x}\\u001b[0m{y}")
    add("token after a colour", lambda b, x, y: f"\\x1b[1;32m{b}{x}{y}\\x1b[0m")
    add("token over two lines", lambda b, x, y: f"token {b}{x}\n{y}\nok")
    add("token over two quoted lines", lambda b, x, y: f"> {b}{x}\n> {y}\n")
    add("token over lines with a backslash", lambda b, x, y: f"export T={b}{x}\\\n{y}")
    add("token in two literals", lambda b, x, y: f'token = "{b}{x}" + "{y}"')
    add("token in literals over lines", lambda b, x, y: f'("{b}{x}"\n    "{y}")')
    add("token with a hidden letter", lambda b, x, y: f"{b}{x}\u200b{y}")
    add("token url encoded", lambda b, x, y: f"token%3D{b.replace('_', '%5F')}{x}{y}%26x")
    add("token json escaped", lambda b, x, y: f"{b.replace('_', chr(92) + 'u005f')}{x}{y}")
    add("token after an escaped line", lambda b, x, y: f"a\\n{b}{x}{y}\\nb")
    password = MAKERS["pw"](dice)
    found.append(Shape("password url encoded", f"password={quote(password)}&x=1", (quote(password),)))
    password = MAKERS["simple"](dice)
    found.append(
        Shape("password in colours", f"\x1b[1mpassword\x1b[0m: \x1b[33m{password}\x1b[0m", (password,))
    )
    begin, middle, end = MAKERS["r20"](dice), MAKERS["r40"](dice), MAKERS["r36"](dice)
    found.append(Shape("web token over lines", f"ey{'J'}{begin}.ey{'J'}{middle[:20]}\n{middle[20:]}.{end}",
                       (begin, middle[20:], end)))  # fmt: skip
    bearer = MAKERS["r64"](dice)
    found.append(Shape("bearer over lines", f"Authorization: Bearer {bearer[:40]}\n  {bearer[40:]}\n",
                       (bearer[:40], bearer[40:])))  # fmt: skip
    value = MAKERS["pw"](dice)
    found.append(Shape("json text", json.dumps(json.dumps({"a": {"password": value}})), (value,)))
    return found


def shapes(seed: int) -> list[Shape]:
    """Return one text of every shape; different seeds give different secrets."""
    dice = random.Random(seed)
    return [*(_filled(name, template, dice) for name, template in TEMPLATES.items()), *_split(dice)]


ORDINARY_LINES = (
    "commit <hex40>",
    "Merge: <hex40> into <hex40>",
    "sha256:<hex64>",
    "id <uuid> of run <uuid>",
    '"session_id": "<uuid>", "parent": "<uuid>",',
    "    integrity sha512-<base 64>==",
    '      "resolved": "https://registry.example/js-tokens/-/js-tokens-4.0.0.tgz",',
    '      "integrity": "sha512-<base 64>=="',
    "github.com/golang-jwt/jwt/v5 v5.2.1 h1:<base 32>=",
    "    --hash=sha256:<hex64> \\",
    '{file = "tokenizers-0.19.1-cp311.whl", hash = "sha256:<hex64>"},',
    'checksum = "<hex64>"',
    "token-types@^6.0.0: resolution: {integrity: sha512-<base 64>==}",
    "data:image/png;base64,<base 900>",
    "<base 76>",
    "tokenizer/secret_scanner.py,sha256=<base 43>,1234",
    "index <hex7>..<hex7> 100644",
    "def get_token(user: User, password: str | None = None, max_tokens: int = 4096) -> Token:",
    "    password = getpass.getpass() if password is None else password",
    '    api_key = os.environ.get("API_KEY") or settings.api_key',
    '    return self.client.post(url, headers={"Authorization": f"Bearer {token}"})',
    "The password field is required, and a token is sent to the user. Passwords are hashed with bcrypt.",
    "Use an API key: see the key management page. The secret is kept in the vault; ask for the token there.",
    "password: string; token?: string; apiKey: string | undefined;",
    "PASSWORD=${DB_PASSWORD} TOKEN=$TOKEN KEY=<your-key> SECRET=${{ secrets.DEPLOY }}",
    "const token = process.env.TOKEN; const key = config.get('api.key'); const secret = req.body.secret;",
    "type: password, name: token, required: true, in: header",
    '2026-03-01T10:11:12.123456Z INFO request <uuid> took 12 ms, etag W/"<hex32>"',
    "feature-issue-<port>-adw-<hex7>-reset-password-by-token",
    "http://localhost:8080/reset-password?next=/login&id=<uuid>",
    "input_tokens: 123456, output_tokens: 789, cache_read_input_tokens=1000000, total_tokens=<port>",
)


def ordinary(dice: random.Random) -> str:
    """Return 40 lines without secrets: hashes, lock files, images, code, sentences."""

    def made(slot: re.Match[str]) -> str:
        kind, _, size = slot[1].partition(" ")
        if kind == "base":
            return _letters(dice, MIXED + "+/", int(size))
        if kind == "hex7":
            return _letters(dice, "0123456789abcdef", 8)
        return str(dice.randint(1000, 9999)) if kind == "port" else MAKERS[kind](dice)

    lines = (dice.choice(ORDINARY_LINES) for _ in range(40))
    slots = re.compile(r"<(base [0-9]+|hex7|hex32|hex40|hex64|uuid|port)>")
    return "\n".join(slots.sub(made, line) for line in lines)
