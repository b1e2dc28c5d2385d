# Registers a phone over UDP with digest authentication (RFC 3261, 22; RFC 2617
# without qop) and prints the last response's first line.
# usage: phone.py ADDRESS USER, the password on standard input
import hashlib
import re
import socket
import sys

address, user = sys.argv[1:]
password = sys.stdin.readline().strip()
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(20)
sock.connect((address, 5060))
own = "%s:%d" % sock.getsockname()[:2]
uri = "sip:" + address


def register(number, header):
    lines = [
        "REGISTER %s SIP/2.0" % uri,
        "Via: SIP/2.0/UDP %s;branch=z9hG4bK%d;rport" % (own, number),
        "Max-Forwards: 70",
        "From: <sip:%s@%s>;tag=1" % (user, address),
        "To: <sip:%s@%s>" % (user, address),
        "Call-ID: phone@%s" % address,
        "CSeq: %d REGISTER" % number,
        "Contact: <sip:%s@%s>" % (user, own),
        "Expires: 3600",
    ]
    sock.send(("\r\n".join(lines + header) + "\r\nContent-Length: 0\r\n\r\n").encode())
    while True:
        response = sock.recv(65536).decode()
        if not response.startswith("SIP/2.0 1"):
            return response


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


realm, nonce = re.search('realm="([^"]*)", nonce="([^"]*)"', register(1, [])).groups()
secret = md5("%s:%s:%s" % (user, realm, password))
digest = md5("%s:%s:%s" % (secret, nonce, md5("REGISTER:" + uri)))
print(register(2, [
    'Authorization: Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s", algorithm=MD5'
    % (user, realm, nonce, uri, digest)
]).split("\r\n")[0])
