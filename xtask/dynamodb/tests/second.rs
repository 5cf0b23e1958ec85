//! The store's contract on a second, independent emulator: moto, in Python. It is not safe under concurrency and knows
//! no request tokens, so it is asked one thing at a time, and proves shapes and conditions rather than races.
//!
//! `cargo xtask test --full` installs it and says where it is.

use rewound_core::store::contract;
use rewound_dynamodb::{Client, layout};
use std::{
    env,
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

/// Ends with the test, whatever comes of it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "half a minute, and it takes Python: `cargo xtask test --full` runs it"]
fn a_second_emulator_keeps_the_contract() {
    let program = env::var_os("REWOUND_MOTO").expect("REWOUND_MOTO says where moto_server is");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let _running = Running(
        Command::new(program)
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    for _ in 0..300 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    let mut client = Client::new(&format!("http://127.0.0.1:{port}"), layout("contract"));
    client.create_tables().unwrap();
    assert_eq!(contract::check(&mut client), []);
}
