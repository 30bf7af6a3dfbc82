"""A server on this machine in the place of Google Drive, file by file id."""

import collections
import http.server
import threading
import urllib.parse

# The downloader reads the page line by line; Drive's has one line.
FORM = (
    '<html><body><form id="download-form" method="get" '
    'action="https://drive.usercontent.google.com/download">'
    '<input type="hidden" name="id" value="{id}">'
    '<input type="hidden" name="confirm" value="t"></form></body></html>'
)
QUOTA = """<html><head><title>Quota exceeded</title></head><body>
<p class="uc-error-subcaption">Too many users have viewed this file.</p>
</body></html>"""
HOSTS = ("drive.google.com", "drive.usercontent.google.com")


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        (drive_id,) = query["id"]
        self.server.asked[drive_id] += 1
        kind, content = self.server.files.get(drive_id, ("lost", b""))
        if kind == "lost":
            self.send_error(404)
        elif kind == "quota":
            self.page(QUOTA)
        elif kind == "confirmed" and "confirm" not in query:
            self.page(FORM.format(id=drive_id))
        else:
            self.file(content, len(content) + 100 * (kind == "broken off"))

    def page(self, text):
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(text.encode())

    def file(self, content, announced):
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Disposition", 'attachment; filename="w.pth"')
        self.send_header("Content-Length", str(announced))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class Drive(http.server.ThreadingHTTPServer):
    """Set `files[id] = (kind, bytes)`; `asked[id]` counts the requests.

    Kinds: "plain", "confirmed" (after a page that asks), "quota" (a page that
    refuses), "broken off" (fewer bytes than announced), "lost".
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.asked = {}, collections.Counter()
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    def close(self):
        self.shutdown()
        self.thread.join()
        self.server_close()

    def here(self, url):
        """The address on this machine that stands for one of Drive."""
        parts = urllib.parse.urlsplit(url)
        if parts.hostname not in HOSTS:
            raise ConnectionRefusedError(f"the tests do not ask {url}")
        place = f"127.0.0.1:{self.server_port}"
        return parts._replace(scheme="http", netloc=place).geturl()
