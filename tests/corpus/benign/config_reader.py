import configparser
import io

DEFAULT = """
[server]
host = localhost
port = 8080
debug = yes

[paths]
root = /srv
data = %(root)s/data
"""


def load(text):
    parser = configparser.ConfigParser()
    parser.read_string(text)
    config = {section: dict(parser.items(section)) for section in parser.sections()}
    config["server"]["port"] = parser.getint("server", "port", fallback=80)
    config["server"]["debug"] = parser.getboolean("server", "debug")
    return config


def save(config):
    out = configparser.ConfigParser()
    out.read_dict(config)
    buffer = io.StringIO()
    out.write(buffer)
    return buffer.getvalue()


def main(text=DEFAULT):
    config = load(text)
    return {"config": config, "text": save(config)}
