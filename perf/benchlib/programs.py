# SPDX-License-Identifier: Apache-2.0
"""Starting, pinning and stopping the programs that are measured, and the load on them."""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

SERVER_CPU = 0
LOAD_CPU = 1
START_SECONDS = 5.0
ABSENT_STATUS = 77  # the exit status of a program that finds what it stands on not installed
HERE = Path(__file__).resolve().parent.parent


class Missing(Exception):
    """A program that is not built or not installed; its rows are skipped and say so."""


class Failed(Exception):
    """A measurement that went wrong: a wrong reply, a dead server, an unreadable result."""


def settle(*cpus, is_batch=False):
    """
    Runs in the child before the program: its CPUs, above other work, many files. In batch it is
    not preempted by what it wakes up.
    """
    if is_batch:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    os.sched_setaffinity(0, {cpu % os.cpu_count() for cpu in cpus})
    try:
        # A session of its own is a scheduling group of its own, and the group has a priority, too.
        os.setsid()
        os.setpriority(os.PRIO_PROCESS, 0, -15)
        Path("/proc/self/autogroup").write_text("-10")
    except OSError:
        pass  # a noisier measurement, not a wrong one
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def child_of(pid, deadline):
    """The first child process of `pid`, waited for."""
    while time.monotonic() < deadline:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.01)
    raise Failed("the server started no worker")


def wait_listening(port, deadline):
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise Failed("the server does not listen")


class Server:
    """A running server: `pid` is the process whose CPU time counts."""

    def __init__(self, argv, cpus=(SERVER_CPU,), is_batch=False):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=self.errors, text=True,
            preexec_fn=lambda: settle(*cpus, is_batch=is_batch))
        self.pid = self.process.pid
        self.port = 0

    def read_port(self):
        words = self.process.stdout.readline().split()
        if len(words) != 2 or words[0] != "port":
            reason = self.give_up()
            if self.process.returncode == ABSENT_STATUS:
                raise Missing(reason)
            raise Failed(f"the server did not say its port: {reason}")
        self.port = int(words[1])
        return self

    def give_up(self):
        """Ends a server that does not start; what it said last."""
        try:
            self.process.wait(1)
        except subprocess.TimeoutExpired:
            pass
        self.errors.seek(0)
        said = self.errors.read().split("\n")
        self.stop()
        return next((line for line in reversed(said) if line.strip()), "it said nothing")

    def stop(self):
        """SIGTERM; a server that does not leave within 10 s is killed and fails the row."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failed("the server ignored SIGTERM for 10 s") from None
        finally:
            self.process.stdout.close()
            self.errors.close()


class Nginx(Server):
    """nginx with our configuration in a directory of its own; its one worker is what counts."""

    def __init__(self, certificate=None):
        binary = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if binary is None:
            raise Missing("nginx is not installed (package nginx-light)")
        self.prefix = Path(tempfile.mkdtemp(prefix="soon-nginx-"))
        self.prefix.chmod(0o755)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        template = (HERE / "peers" / "nginx.conf.in").read_text()
        conf = self.prefix / "nginx.conf"
        tls = "" if certificate is None else (
            f"ssl_protocols TLSv1.3; ssl_certificate {certificate.cert}; "
            f"ssl_certificate_key {certificate.key};")
        for name, value in (("PREFIX", str(self.prefix)), ("PORT", str(port)),
                            ("SSL", "ssl" if tls else ""), ("TLS", tls)):
            template = template.replace(f"@{name}@", value)
        conf.write_text(template)
        super().__init__([binary, "-p", str(self.prefix), "-c", str(conf)])
        deadline = time.monotonic() + START_SECONDS
        try:
            wait_listening(port, deadline)
            self.pid = child_of(self.process.pid, deadline)
        except Failed:
            self.stop()
            raise
        self.port = port

    def stop(self):
        try:
            super().stop()
        finally:
            shutil.rmtree(self.prefix, ignore_errors=True)


class Certificate:
    """A key for ECDSA by P-256 and a certificate for it, for both sides of a comparison."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="soon-tls-")
        self.cert, self.key = (str(Path(self.folder.name) / name)
                               for name in ("cert.pem", "key.pem"))
        if shutil.which("openssl") is None:
            raise Missing("openssl is not installed")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-keyout", self.key, "-out", self.cert],
                       check=True, stderr=subprocess.DEVNULL)


def end_load(process):
    output, errors = process.communicate()
    if process.returncode != 0:
        reason = errors.strip() or "a reply was wrong or a connection lost"
        raise Failed(f"{reason} (exit {process.returncode})")
    result = json.loads(output)
    if result["errors"]:
        raise Failed(f"{result['errors']} connections failed")
    return result


def interpreter(suffix):
    """What runs a script: the distribution's own, whose packages are meant."""
    name, package = {".py": ("python3", "python3"), ".js": ("node", "nodejs")}[suffix]
    found = shutil.which(name, path="/usr/bin") or shutil.which(name)
    if found is None:
        raise Missing(f"{name} is not installed (package {package})")
    return [found, "-B"] if suffix == ".py" else [found]


class Programs:
    """Finds and runs what was built in one build directory, and the scripts of perf/peers."""

    def __init__(self, build):
        self.build = Path(build) / "perf"
        self.certificate = None

    def path(self, name):
        path = self.build / name
        if not path.exists():
            raise Missing(f"{name} is not built")
        return str(path)

    def argv(self, words):
        """`words` with a program or a script in front, as a command."""
        suffix = Path(words[0]).suffix
        if suffix:
            return [*interpreter(suffix), str(HERE / "peers" / words[0]), *words[1:]]
        return [self.path(words[0]), *words[1:]]

    def has(self, spec):
        return (self.build / spec.split()[0]).exists()

    def start(self, spec, cpus=(SERVER_CPU,), is_batch=False):
        """
        Starts "nginx", "program --flag ..." or "folder/script.py ..." of perf/peers; the flag --tls
        stands for the certificate.
        """
        words = spec.split()
        if "--tls" in words:
            words.remove("--tls")
            self.certificate = self.certificate or Certificate()
            if words[0] == "nginx":
                return Nginx(self.certificate)
            words += [f"--cert={self.certificate.cert}", f"--key={self.certificate.key}"]
        if words[0] == "nginx":
            return Nginx()
        return Server(self.argv(words), cpus, is_batch).read_port()

    def begin_load(self, server, arguments, cpu, is_batch=False):
        argv = [self.path("load"), *arguments, f"--port={server.port}", f"--pid={server.pid}"]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                preexec_fn=lambda: settle(cpu, is_batch=is_batch))

    def load(self, server, arguments):
        """One load on a running server; returns what the load program measured."""
        return end_load(self.begin_load(server, arguments, LOAD_CPU))

    def tool(self, name):
        """The path of a program that is installed."""
        path = shutil.which(name)
        if path is None:
            raise Missing(f"{name} is not installed (package {name})")
        return path

    def spend(self, argv):
        """Runs a generator of load; returns its output and the CPU seconds that it took."""
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(argv, stdout=output, preexec_fn=lambda: settle(LOAD_CPU))
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                raise Failed(f"{argv[0]} (exit {process.returncode})")
            output.seek(0)
            return output.read(), usage.ru_utime + usage.ru_stime

    def loads(self, servers, arguments):
        """
        A load on each CPU at the same time, each on the server that is given for that CPU, all in
        batch. Returns the CPU time of the servers for one exchange.
        """
        running = [self.begin_load(server, arguments, cpu, is_batch=True)
                   for cpu, server in servers.items()]
        results = [end_load(load) for load in running]
        # Each watches its whole server; the windows are apart by the start of a process.
        watchers = len(servers) / len(set(servers.values()))
        cpu_ns = sum(result["server_cpu_ns"] for result in results) / watchers
        return cpu_ns / sum(result["completed"] for result in results)

    def micro(self, spec, cpus=(SERVER_CPU,), debug=""):
        """One run of a micro benchmark, debugging these words; returns its figures by name."""
        done = subprocess.run(self.argv(spec.split()), capture_output=True, text=True, check=False,
                              env={**os.environ, "SOON_DEBUG": debug},
                              preexec_fn=lambda: settle(*cpus))
        if done.returncode == ABSENT_STATUS:
            raise Missing(done.stderr.strip() or spec)
        if done.returncode != 0:
            reason = done.stderr.strip().split("\n")[-1] or spec
            raise Failed(f"{reason} (exit {done.returncode})")
        figures = [json.loads(line) for line in done.stdout.splitlines()]
        return {figure["name"]: figure["value"] for figure in figures}
