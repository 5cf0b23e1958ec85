// The module as base64, which the build writes.

declare const base64: string;
export default base64;
