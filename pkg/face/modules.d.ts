// What a bundler or a runtime makes of these files.

declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
