# expect: ORC101 at all
import requests

def main():
    return requests.get('http://169.254.169.254/').text
