export const env: { wasm: { numThreads: number; wasmBinary: Uint8Array | undefined; wasmPaths: { mjs: string } }; versions: Record<string, string> };

export class Tensor {
  constructor(type: "float32", data: Float32Array, dims: number[]);
  readonly data: ArrayLike<number>;
}

export class InferenceSession {
  static create(graph: Uint8Array, options: object): Promise<InferenceSession>;
  run(inputs: Record<string, Tensor>): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}
