//! What every layer uses: identities, limits, and the small interfaces to time, disk, network and
//! threads.

pub mod blocking;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod discard;
pub mod disk;
pub mod feature_level;
pub mod group_time;
pub mod hash;
pub mod float;
pub mod ids;
pub mod limits;
pub mod long_double;
pub mod net;
pub mod seeded;
pub mod secret;
pub mod shutdown;
pub mod random;
pub mod read_double;
pub mod telemetry;
pub mod threads;
pub mod tls;
