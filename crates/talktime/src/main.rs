//! `talktime`: builds the components and serves them. For development and tests, not a production server.

mod demo;

use std::{
    io::ErrorKind,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use talktime_host::{Host, HostBuilder, Manifest, Storage, build_components};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use demo::Secrets;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs the application of a spin.toml without the Spin CLI. For development and tests, not a production server.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Action>,
    #[command(flatten)]
    up: Up,
}

#[derive(Subcommand)]
enum Action {
    /// Builds the components and serves them; what happens without a subcommand
    Up(Up),
    /// Builds the components and prepares the data files
    Build(Place),
    /// Prepares the data files only, so that Spin finds its key-value file in the faster mode
    Prepare(Place),
}

#[derive(Args)]
struct Place {
    #[arg(long, short = 'f', value_name = "PATH", default_value = "spin.toml")]
    manifest: PathBuf,
    /// Where the data is kept; Spin's own folder, beside the manifest, if not given
    #[arg(long, value_name = "PATH")]
    data_dir: Option<PathBuf>,
}

#[derive(Args)]
struct Up {
    #[command(flatten)]
    place: Place,
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Serve the components as they are
    #[arg(long)]
    no_build: bool,
    /// No line for each request, and none about the compiling
    #[arg(long, short)]
    quiet: bool,
}

impl Place {
    fn storage(&self, manifest: &Manifest) -> Storage {
        Storage::Directory(
            self.data_dir
                .clone()
                .unwrap_or_else(|| manifest.folder.join(".spin")),
        )
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command.unwrap_or(Action::Up(cli.up))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(action: Action) -> anyhow::Result<()> {
    match action {
        Action::Prepare(place) => prepare(&place, &Manifest::read(&place.manifest)?),
        Action::Build(place) => {
            let manifest = Manifest::read(&place.manifest)?;
            build(&manifest)?;
            prepare(&place, &manifest)
        }
        Action::Up(up) => {
            let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
            let result = runtime.block_on(serve(&up));
            // A statement that waits for a lock would hold the exit up.
            runtime.shutdown_timeout(Duration::from_millis(200));
            result
        }
    }
}

fn build(manifest: &Manifest) -> anyhow::Result<()> {
    let start = Instant::now();
    build_components::build(manifest)?;
    eprintln!(
        "built the components in {:.1} s",
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

fn prepare(place: &Place, manifest: &Manifest) -> anyhow::Result<()> {
    let storage = place.storage(manifest);
    storage.prepare()?;
    if let Storage::Directory(folder) = storage {
        eprintln!("the data is in {}", folder.display());
    }
    Ok(())
}

async fn serve(up: &Up) -> anyhow::Result<()> {
    let builder = HostBuilder::from_manifest(&up.place.manifest)?.variables_from_env()?;
    let manifest = builder.manifest().clone();
    // Before the build, which may take minutes: a busy port shows at once.
    let listener = listen(up.listen).await?;
    // From here on, so that Ctrl-C in the middle of a start is a clean end too.
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let start = async {
        if !up.no_build {
            let manifest = manifest.clone();
            tokio::task::spawn_blocking(move || build(&manifest)).await??;
        }
        let (builder, secrets) = Secrets::fill(builder)?;
        let host = builder
            .storage(up.place.storage(&manifest))
            .verbose(!up.quiet)
            .print_guest_output(true)
            .cron(true)
            .build()
            .await?;
        anyhow::Ok((host, secrets))
    };
    let (host, secrets) = tokio::select! {
        started = start => started?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    let server = host.serve(listener).await;
    print_banner(&manifest, &host, server.addr(), &secrets, &up.place);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    println!("stopping…");
    server.shutdown().await;
    Ok(())
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let mut next = address;
            next.set_port(address.port().checked_add(1).unwrap_or(3000));
            bail!(
                "port {} is in use: stop the other process or pass --listen {next}",
                address.port()
            )
        }
        Err(error) => bail!(
            "cannot listen on {address}: {error}\nPass another address with --listen, such as 127.0.0.1:3000"
        ),
    }
}

fn print_banner(
    manifest: &Manifest,
    host: &Host,
    address: SocketAddr,
    secrets: &Secrets,
    place: &Place,
) {
    // An address of "everywhere" is no place to go to.
    let shown = if address.ip().is_unspecified() {
        SocketAddr::from(([127, 0, 0, 1], address.port()))
    } else {
        address
    };
    let base = format!("http://{shown}");
    let Storage::Directory(data) = place.storage(manifest) else {
        return;
    };
    println!(
        "\n{} on {base}   (for development and tests, not a production server)",
        manifest.name
    );
    println!("data: {}", display(&data));
    let routes = host.routes();
    for (route, component) in &routes {
        println!("  {base}{route}   {component}");
    }
    for trigger in &manifest.cron_triggers {
        println!("  cron {}   {}", trigger.cron_expression, trigger.component);
    }
    let has_page = routes.iter().any(|(route, _)| route == "/...");
    println!("\n{}\nCtrl-C stops it.\n", secrets.text(&base, has_page));
}

fn display(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here)
        .unwrap_or(path)
        .display()
        .to_string()
}
