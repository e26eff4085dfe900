import { open, rename } from 'node:fs/promises'
import path from 'node:path'

/** Gives a private file new content, durably: after a crash it holds the old content or the new, whole. */
export async function replaceFile(file: string, content: string): Promise<void> {
  const scratch = `${file}.new`
  const writing = await open(scratch, 'w', 0o600)
  try {
    await writing.writeFile(content)
    await writing.sync()
  } finally {
    await writing.close()
  }
  await rename(scratch, file)
  const folder = await open(path.dirname(file), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
