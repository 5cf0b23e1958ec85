// What the browser brings for sharing: compression, files, the clipboard.

const packed = (bytes, format) => bytes.pipeThrough(new CompressionStream(format));

/** A text, compressed, in letters that an address takes as they are; nothing where they would be more than `most`. */
export async function pack(text, most) {
  const stream = packed(new Blob([text]).stream(), "deflate-raw");
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  if (bytes.length * 4 > most * 3) return undefined;
  const letters = btoa(String.fromCharCode(...bytes));
  return letters.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The text that was packed. Throws where it is none, or one of more than `most` bytes. */
export async function unpack(letters, most) {
  if (!/^[\w-]+$/.test(letters)) throw new Error("it has letters that no such link has");
  const bytes = atob(letters.replaceAll("-", "+").replaceAll("_", "/"));
  const body = new Blob([Uint8Array.from(bytes, (letter) => letter.charCodeAt(0))]);
  const reader = body.stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    size += value.length;
    if (size > most) {
      await reader.cancel();
      throw new Error(`it holds more than ${most} bytes`);
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** Saves parts as one file, compressed where its name ends in `.gz`. */
export async function save(name, parts) {
  let blob = new Blob(parts);
  if (name.endsWith(".gz")) blob = await new Response(packed(blob.stream(), "gzip")).blob();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has begun to write by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Puts a text on the clipboard. */
export async function copy(text) {
  await navigator.clipboard.writeText(text);
}
