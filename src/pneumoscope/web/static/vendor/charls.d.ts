// What is used of the codecs: the start of a module with its options, and the classes of the started module.

declare const start: (options: object) => Promise<Record<string, new () => Codec>>;

export interface Codec {
  getEncodedBuffer(length: number): Uint8Array;
  getDecodedBuffer(): Uint8Array;
  getFrameInfo(): { width: number; height: number; bitsPerSample: number; componentCount: number; isSigned?: boolean };
  readHeader(): void;
  decode(): void;
}

export default start;
