/**
 * Files of the program that are opened by their path: threads, migrations. In the source tree they lie where
 * they are written; a bundle (`scripts/bundle.mjs`) keeps them beside itself.
 */
const isBundle = !import.meta.url.endsWith('.ts')

function programFile(source: string, bundled: string): URL {
  return new URL(isBundle ? bundled : source, import.meta.url)
}

export const sqliteWriterFile = programFile('./writer/sqlite-worker.ts', './sqlite-writer.mjs')
export const postgresWriterFile = programFile('./writer/postgres-worker.ts', './postgres-writer.mjs')
export const sqliteReaderFile = programFile('./reader/sqlite-reader-worker.ts', './sqlite-reader.mjs')
export const migrationsFolder = programFile('../migrations/', './migrations/')
