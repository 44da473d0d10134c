//! How messages become bytes in gRPC: prost's codec, with buffers for messages of the usual size. tonic's own begin with
//! 8 KiB in each direction, for each call; larger messages make either grow.

use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::ProstCodec;

/// What a buffer begins with, in bytes.
const BEGIN: usize = 512;
/// Messages of a stream that are there already go together, up to this many bytes. As tonic has it.
const TOGETHER: usize = 32 * 1024;

/// Used by all clients and servers of both packages.
#[derive(Clone, Copy, Debug)]
pub struct Prost<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Prost<T, U> {
    fn default() -> Self {
        Prost(PhantomData)
    }
}

impl<T, U> Codec for Prost<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = <ProstCodec<T, U> as Codec>::Encoder;
    type Decoder = <ProstCodec<T, U> as Codec>::Decoder;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(BEGIN, TOGETHER))
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(BufferSettings::new(BEGIN, TOGETHER))
    }
}
