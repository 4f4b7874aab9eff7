# expect: ORC304 at all
import base64
base64.b64decode("ezAuX19jbGFzc19ffQ==").decode().format(1)
