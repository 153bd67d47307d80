export class Decoder {
  decode(buffer: ArrayBufferLike, offset: number, length: number): Uint8Array | Uint16Array | null;
}
