import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { parseDocument } from 'yaml'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import {
  parseRegistration,
  RegistrationError,
  type Appservice,
  type AppserviceRegistration,
} from './registration.ts'

async function readRegistrationFile(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const reason =
      cause.code === 'ENOENT' ? 'does not exist' : `cannot be read (${cause.code ?? cause.message})`
    throw new RegistrationError(`${file}: the registration file ${reason}`)
  })
  const document = parseDocument(text, { uniqueKeys: true, version: '1.2' })
  const [fault] = document.errors
  if (fault !== undefined) throw new RegistrationError(`${file}: ${fault.message.split('\n', 1)[0]}`)
  return document.toJS({ maxAliasCount: 100 })
}

/**
 * Reads and checks all registrations: the files of the configuration, and those of parts of this process.
 * @throws RegistrationError naming the file, what is wrong, and what must be unique and is not
 */
export async function loadRegistrations(
  files: readonly string[],
  inProcess: readonly AppserviceRegistration[],
  serverName: ServerName,
): Promise<Appservice[]> {
  const found: { readonly appservice: Appservice; readonly source: string }[] = []
  for (const file of files) {
    const source = path.basename(file)
    const value = await readRegistrationFile(file)
    found.push({ appservice: parseRegistration(value, serverName, { source }), source })
  }
  for (const registration of inProcess) {
    const source = `the built-in appservice ${registration.id}`
    found.push({
      appservice: parseRegistration(registration, serverName, { source, isInProcess: true }),
      source,
    })
  }
  requireUnique(found, 'id', ({ id }) => id)
  requireUnique(found, 'as_token', ({ asToken }) => asToken)
  requireUnique(found, 'sender_localpart', ({ sender }) => sender)
  return found.map(({ appservice }) => appservice)
}

function requireUnique(
  found: readonly { readonly appservice: Appservice; readonly source: string }[],
  name: string,
  keyOf: (appservice: Appservice) => string,
): void {
  const sources = new Map<string, string>()
  for (const { appservice, source } of found) {
    const key = keyOf(appservice)
    const other = sources.get(key)
    if (other !== undefined) {
      throw new RegistrationError(`${source}: has the same ${name} as ${other}; each must have its own`)
    }
    sources.set(key, source)
  }
}
