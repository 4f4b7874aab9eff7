try:
    import yaml
except ImportError:
    yaml = None


def main(text):
    if yaml is None:
        return {"error": "no yaml"}
    return yaml.safe_load(text)
