import type { DataSet, Element } from "../decode/header.js";

type ByteArrayParser = object;

declare const dicomParser: {
  littleEndianByteArrayParser: ByteArrayParser;
  bigEndianByteArrayParser: ByteArrayParser;
  ByteStream: new (parser: ByteArrayParser, bytes: Uint8Array, position: number) => object;
  DataSet: new (parser: ByteArrayParser, bytes: Uint8Array, elements: Record<string, Element>) => DataSet;
  readPart10Header(bytes: Uint8Array, options: object): DataSet & { string(tag: string): string | undefined };
  parseDicomDataSetExplicit(data: DataSet, stream: object, end: number, options: object): void;
  parseDicomDataSetImplicit(data: DataSet, stream: object, end: number, options: object): void;
};

export default dicomParser;
