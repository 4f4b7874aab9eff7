# expect: ORC101
# level: relaxed
import subprocess


def main() -> str:
    return subprocess.run(["id"], capture_output=True, text=True).stdout
