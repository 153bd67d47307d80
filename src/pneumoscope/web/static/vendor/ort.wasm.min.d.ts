export const env: { wasm: { numThreads: number; wasmPaths: { mjs: string; wasm: string } }; versions: Record<string, string> };

export class Tensor {
  constructor(type: "float32", data: Float32Array, dims: number[]);
  readonly data: Float32Array;
}

export class InferenceSession {
  static create(graph: Uint8Array, options: object): Promise<InferenceSession>;
  run(inputs: Record<string, Tensor>): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}
