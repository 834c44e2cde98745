//! The answers themselves. No resource has a state: a stream is known by which of the two it is, and everything to wait for has happened already. So
//! nothing is kept for a guest, and the handles that it holds are counted with all others.

use wasmtime::component::Resource;

use super::Ended;
use super::bindings::wasi::cli::{
    environment, exit, stderr, stdin, stdout, terminal_input, terminal_output, terminal_stderr,
    terminal_stdin, terminal_stdout,
};
use super::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use super::bindings::wasi::filesystem::{preopens, types as filesystem};
use super::bindings::wasi::io::{error, poll, streams};
use super::bindings::wasi::random::{insecure, insecure_seed, random};
use super::bindings::wasi::sockets::{
    instance_network, ip_name_lookup, network, tcp, tcp_create_socket, udp, udp_create_socket,
};
use crate::bindings::cosell::mapping::types::Level;
use crate::instance::GuestState;
use crate::limits::{PRINTED_BYTES_MAX, RANDOM_BYTES_MAX};

type Answer<T> = wasmtime::Result<T>;
type Streamed<T> = wasmtime::Result<Result<T, streams::StreamError>>;

/// Resources that are all alike.
const ONLY: u32 = 0;
const OUT: u32 = 1;
const ERR: u32 = 2;

fn ended<T>(what: impl Into<String>) -> Answer<T> {
    Err(Ended(what.into()).into())
}

/// What a guest may let go of whenever it likes: there is nothing behind it.
macro_rules! nothing_behind {
    ($($module:ident: $host:ident, $resource:ident;)*) => {
        $(impl $module::$host for GuestState {
            fn drop(&mut self, _: Resource<$module::$resource>) -> Answer<()> {
                Ok(())
            }
        })*
    };
}

nothing_behind! {
    error: HostError, Error;
    filesystem: HostDescriptor, Descriptor;
    filesystem: HostDirectoryEntryStream, DirectoryEntryStream;
    ip_name_lookup: HostResolveAddressStream, ResolveAddressStream;
    network: HostNetwork, Network;
    tcp: HostTcpSocket, TcpSocket;
    terminal_input: HostTerminalInput, TerminalInput;
    terminal_output: HostTerminalOutput, TerminalOutput;
    udp: HostUdpSocket, UdpSocket;
    udp: HostIncomingDatagramStream, IncomingDatagramStream;
    udp: HostOutgoingDatagramStream, OutgoingDatagramStream;
}

/// Interfaces of types alone.
macro_rules! only_types {
    ($($module:ident),*) => {
        $(impl $module::Host for GuestState {})*
    };
}

only_types!(
    error,
    filesystem,
    network,
    streams,
    tcp,
    terminal_input,
    terminal_output,
    udp
);

impl environment::Host for GuestState {
    fn get_environment(&mut self) -> Answer<Vec<(String, String)>> {
        Ok(Vec::new())
    }

    fn get_arguments(&mut self) -> Answer<Vec<String>> {
        Ok(Vec::new())
    }

    fn initial_cwd(&mut self) -> Answer<Option<String>> {
        Ok(None)
    }
}

impl exit::Host for GuestState {
    fn exit(&mut self, status: Result<(), ()>) -> Answer<()> {
        let how = if status.is_ok() {
            "as done"
        } else {
            "as failed"
        };
        ended(format!(
            "ended itself ({how}): a plugin is asked and answers, and only the host ends it; let it answer a `stop` instead of calling exit"
        ))
    }

    fn exit_with_code(&mut self, code: u8) -> Answer<()> {
        self.exit(if code == 0 { Ok(()) } else { Err(()) })
    }
}

impl stdin::Host for GuestState {
    fn get_stdin(&mut self) -> Answer<Resource<streams::InputStream>> {
        Ok(Resource::new_own(ONLY))
    }
}

impl stdout::Host for GuestState {
    fn get_stdout(&mut self) -> Answer<Resource<streams::OutputStream>> {
        Ok(Resource::new_own(OUT))
    }
}

impl stderr::Host for GuestState {
    fn get_stderr(&mut self) -> Answer<Resource<streams::OutputStream>> {
        Ok(Resource::new_own(ERR))
    }
}

impl terminal_stdin::Host for GuestState {
    fn get_terminal_stdin(&mut self) -> Answer<Option<Resource<terminal_input::TerminalInput>>> {
        Ok(None)
    }
}

impl terminal_stdout::Host for GuestState {
    fn get_terminal_stdout(&mut self) -> Answer<Option<Resource<terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}

impl terminal_stderr::Host for GuestState {
    fn get_terminal_stderr(&mut self) -> Answer<Option<Resource<terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}

/// Whatever there is to wait for has happened.
fn ready() -> Answer<Resource<poll::Pollable>> {
    Ok(Resource::new_own(ONLY))
}

impl poll::HostPollable for GuestState {
    fn ready(&mut self, _: Resource<poll::Pollable>) -> Answer<bool> {
        Ok(true)
    }

    fn block(&mut self, _: Resource<poll::Pollable>) -> Answer<()> {
        Ok(())
    }

    fn drop(&mut self, _: Resource<poll::Pollable>) -> Answer<()> {
        Ok(())
    }
}

impl poll::Host for GuestState {
    fn poll(&mut self, all: Vec<Resource<poll::Pollable>>) -> Answer<Vec<u32>> {
        if all.is_empty() {
            return ended("polled nothing, which WASI forbids");
        }
        Ok((0..).zip(&all).map(|(at, _)| at).collect())
    }
}

impl streams::HostInputStream for GuestState {
    fn read(&mut self, _: Resource<streams::InputStream>, _: u64) -> Streamed<Vec<u8>> {
        Ok(Err(streams::StreamError::Closed))
    }

    fn blocking_read(&mut self, _: Resource<streams::InputStream>, _: u64) -> Streamed<Vec<u8>> {
        Ok(Err(streams::StreamError::Closed))
    }

    fn skip(&mut self, _: Resource<streams::InputStream>, _: u64) -> Streamed<u64> {
        Ok(Err(streams::StreamError::Closed))
    }

    fn blocking_skip(&mut self, _: Resource<streams::InputStream>, _: u64) -> Streamed<u64> {
        Ok(Err(streams::StreamError::Closed))
    }

    fn subscribe(&mut self, _: Resource<streams::InputStream>) -> Answer<Resource<poll::Pollable>> {
        ready()
    }

    fn drop(&mut self, _: Resource<streams::InputStream>) -> Answer<()> {
        Ok(())
    }
}

/// One more than may be printed is told as any other text that is too long.
fn zeroes(len: u64) -> Vec<u8> {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    vec![0; len.min(PRINTED_BYTES_MAX + 1)]
}

impl GuestState {
    fn printed(&mut self, stream: u32, text: &[u8]) -> Streamed<()> {
        if text.len() > PRINTED_BYTES_MAX {
            return ended(format!(
                "printed more than {PRINTED_BYTES_MAX} bytes at once, which it was told not to"
            ));
        }
        let around = &mut self.surroundings;
        match stream {
            OUT => around.out.print(text, Level::Info, &mut self.log),
            _ => around.err.print(text, Level::Warn, &mut self.log),
        }
        Ok(Ok(()))
    }
}

impl streams::HostOutputStream for GuestState {
    fn check_write(&mut self, _: Resource<streams::OutputStream>) -> Streamed<u64> {
        Ok(Ok(PRINTED_BYTES_MAX as u64))
    }

    fn write(&mut self, stream: Resource<streams::OutputStream>, text: Vec<u8>) -> Streamed<()> {
        self.printed(stream.rep(), &text)
    }

    fn blocking_write_and_flush(
        &mut self,
        stream: Resource<streams::OutputStream>,
        text: Vec<u8>,
    ) -> Streamed<()> {
        self.printed(stream.rep(), &text)
    }

    fn flush(&mut self, _: Resource<streams::OutputStream>) -> Streamed<()> {
        Ok(Ok(()))
    }

    fn blocking_flush(&mut self, _: Resource<streams::OutputStream>) -> Streamed<()> {
        Ok(Ok(()))
    }

    fn subscribe(
        &mut self,
        _: Resource<streams::OutputStream>,
    ) -> Answer<Resource<poll::Pollable>> {
        ready()
    }

    fn write_zeroes(&mut self, stream: Resource<streams::OutputStream>, len: u64) -> Streamed<()> {
        self.printed(stream.rep(), &zeroes(len))
    }

    fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<streams::OutputStream>,
        len: u64,
    ) -> Streamed<()> {
        self.printed(stream.rep(), &zeroes(len))
    }

    fn splice(
        &mut self,
        _: Resource<streams::OutputStream>,
        _: Resource<streams::InputStream>,
        _: u64,
    ) -> Streamed<u64> {
        Ok(Err(streams::StreamError::Closed))
    }

    fn blocking_splice(
        &mut self,
        _: Resource<streams::OutputStream>,
        _: Resource<streams::InputStream>,
        _: u64,
    ) -> Streamed<u64> {
        Ok(Err(streams::StreamError::Closed))
    }

    fn drop(&mut self, _: Resource<streams::OutputStream>) -> Answer<()> {
        Ok(())
    }
}

impl monotonic_clock::Host for GuestState {
    fn now(&mut self) -> Answer<u64> {
        let since_1970 = self.surroundings.now().as_nanosecond();
        Ok(u64::try_from(since_1970).unwrap_or(u64::MAX))
    }

    fn resolution(&mut self) -> Answer<u64> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, _: u64) -> Answer<Resource<poll::Pollable>> {
        ready()
    }

    fn subscribe_duration(&mut self, _: u64) -> Answer<Resource<poll::Pollable>> {
        ready()
    }
}

impl wall_clock::Host for GuestState {
    fn now(&mut self) -> Answer<wall_clock::Datetime> {
        let now = self.surroundings.now();
        Ok(wall_clock::Datetime {
            seconds: now.as_second().unsigned_abs(),
            nanoseconds: now.subsec_nanosecond().unsigned_abs(),
        })
    }

    fn resolution(&mut self) -> Answer<wall_clock::Datetime> {
        Ok(wall_clock::Datetime {
            seconds: 0,
            nanoseconds: 1,
        })
    }
}

impl GuestState {
    fn rolled(&mut self, len: u64) -> Answer<Vec<u8>> {
        if len > RANDOM_BYTES_MAX {
            return ended(format!(
                "wanted {len} random bytes at once and may have {RANDOM_BYTES_MAX}"
            ));
        }
        let dice = &mut self.surroundings.dice;
        let endless = std::iter::repeat_with(|| dice.roll().to_le_bytes()).flatten();
        Ok(endless.take(usize::try_from(len)?).collect())
    }
}

impl random::Host for GuestState {
    fn get_random_bytes(&mut self, len: u64) -> Answer<Vec<u8>> {
        self.rolled(len)
    }

    fn get_random_u64(&mut self) -> Answer<u64> {
        Ok(self.surroundings.dice.roll())
    }
}

impl insecure::Host for GuestState {
    fn get_insecure_random_bytes(&mut self, len: u64) -> Answer<Vec<u8>> {
        self.rolled(len)
    }

    fn get_insecure_random_u64(&mut self) -> Answer<u64> {
        Ok(self.surroundings.dice.roll())
    }
}

impl insecure_seed::Host for GuestState {
    fn insecure_seed(&mut self) -> Answer<(u64, u64)> {
        let dice = &mut self.surroundings.dice;
        Ok((dice.roll(), dice.roll()))
    }
}

impl preopens::Host for GuestState {
    fn get_directories(&mut self) -> Answer<Vec<(Resource<filesystem::Descriptor>, String)>> {
        Ok(Vec::new())
    }
}

type Socketed<T> = wasmtime::Result<Result<Resource<T>, network::ErrorCode>>;

impl instance_network::Host for GuestState {
    fn instance_network(&mut self) -> Answer<Resource<network::Network>> {
        Ok(Resource::new_own(ONLY))
    }
}

impl ip_name_lookup::Host for GuestState {
    fn resolve_addresses(
        &mut self,
        _: Resource<network::Network>,
        _: String,
    ) -> Socketed<ip_name_lookup::ResolveAddressStream> {
        Ok(Err(network::ErrorCode::AccessDenied))
    }
}

impl tcp_create_socket::Host for GuestState {
    fn create_tcp_socket(&mut self, _: network::IpAddressFamily) -> Socketed<tcp::TcpSocket> {
        Ok(Err(network::ErrorCode::AccessDenied))
    }
}

impl udp_create_socket::Host for GuestState {
    fn create_udp_socket(&mut self, _: network::IpAddressFamily) -> Socketed<udp::UdpSocket> {
        Ok(Err(network::ErrorCode::AccessDenied))
    }
}
