import { createHash } from 'node:crypto'
import { mkdir, open, rm, type FileHandle } from 'node:fs/promises'
import { BlobTooLarge, type BlobInfo, type BlobSource } from './blob-store.ts'

const FILE_MODE = 0o600
const FOLDER_MODE = 0o700

/** Makes the folder of what is on its way; what an earlier process left there is removed. */
export async function emptySpool(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true, mode: FOLDER_MODE })
}

async function* piecesOf(source: BlobSource): AsyncGenerator<Uint8Array> {
  if (source instanceof Uint8Array) yield source
  else yield* source
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten
}

/**
 * Writes and hashes at once. With `durable` the file is, once it resolves; its name is not.
 * @throws BlobTooLarge as soon as there are more than `maxBytes`
 */
export async function writeSpool(
  file: string,
  source: BlobSource,
  { maxBytes, durable }: { readonly maxBytes: number; readonly durable: boolean },
): Promise<BlobInfo> {
  const hash = createHash('sha256')
  let size = 0
  await using handle = await open(file, 'wx', FILE_MODE)
  for await (const piece of piecesOf(source)) {
    size += piece.length
    if (size > maxBytes) throw new BlobTooLarge(maxBytes)
    hash.update(piece)
    await writeAll(handle, piece)
  }
  if (durable) await handle.sync()
  return { hash: hash.digest('hex'), size }
}
