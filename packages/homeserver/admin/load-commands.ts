import { readdir } from 'node:fs/promises'
import type { AnyAdminCommand } from './command.ts'

// In a bundle each command is a file of its own too (`scripts/bundle.mjs`).
const FOLDER = new URL('commands/', import.meta.url)
const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.mjs'

/** Commands by name (`user-create`), from the files in `commands/`. A file that exports none is a fault. */
export async function loadAdminCommands(folder: URL = FOLDER): Promise<ReadonlyMap<string, AnyAdminCommand>> {
  const files = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const names = files.filter((file) => file.endsWith(EXTENSION) && !file.endsWith('.test.ts')).toSorted()
  const commands = new Map<string, AnyAdminCommand>()
  for (const file of names) {
    const module = (await import(new URL(file, folder).href)) as { command?: AnyAdminCommand }
    if (module.command === undefined) throw new Error(`${file} exports no "command"`)
    commands.set(file.slice(0, -EXTENSION.length), module.command)
  }
  return commands
}
