import { Type, type Static } from 'typebox'
import { Errors } from 'typebox/schema'
import type { ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { isCompliantUserId, localpartOf, parseUserId } from '@causeway/matrix/ids/user-id.ts'
import { compilePattern, type Pattern } from './pattern.ts'

const namespaceEntry = Type.Object({ exclusive: Type.Optional(Type.Boolean()), regex: Type.String() })
const namespaceList = Type.Optional(Type.Union([Type.Array(namespaceEntry, { maxItems: 100 }), Type.Null()]))

/** A registration file as it is written. https://spec.matrix.org/v1.19/application-service-api/#registration */
export const registrationSchema = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 255 }),
  url: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  as_token: Type.String({ minLength: 16, maxLength: 512 }),
  hs_token: Type.String({ minLength: 16, maxLength: 512 }),
  sender_localpart: Type.String({ minLength: 1 }),
  namespaces: Type.Object({ users: namespaceList, aliases: namespaceList, rooms: namespaceList }),
  rate_limited: Type.Optional(Type.Boolean()),
  protocols: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
  receive_ephemeral: Type.Optional(Type.Boolean()),
  push_ephemeral: Type.Optional(Type.Boolean()),
  'de.sorunome.msc2409.push_ephemeral': Type.Optional(Type.Boolean()),
  'org.matrix.msc3202': Type.Optional(Type.Boolean()),
})

type NamespaceEntries = readonly { readonly exclusive?: boolean; readonly regex: string }[] | null

/** The contents of a registration file. Further keys, such as those of a bridge's own, are allowed. */
export type AppserviceRegistration = Readonly<
  Omit<Static<typeof registrationSchema>, 'namespaces' | 'protocols'>
> & {
  readonly namespaces: {
    readonly users?: NamespaceEntries
    readonly aliases?: NamespaceEntries
    readonly rooms?: NamespaceEntries
  }
  readonly protocols?: readonly string[] | null
}

/** A namespace with its pattern compiled. */
export interface Namespace {
  readonly exclusive: boolean
  readonly regex: string
  readonly matches: Pattern
}

export type NamespaceKind = 'users' | 'aliases' | 'rooms'

/** A registered appservice, checked. */
export interface Appservice {
  readonly id: string
  /** Without a slash at the end. Undefined: nothing is sent to it, unless it lives in this process. */
  readonly url: string | undefined
  readonly asToken: string
  readonly hsToken: string
  /** The user it acts as when it names none. */
  readonly sender: UserId
  readonly namespaces: Readonly<Record<NamespaceKind, readonly Namespace[]>>
  /** Whether the users it acts as are rate limited, as it asked for; its sender never is. */
  readonly rateLimited: boolean
  /** Networks whose published rooms it keeps a directory of. */
  readonly protocols: readonly string[]
  /** Typing, receipts and presence are pushed to it. */
  readonly receivesEphemeral: boolean
  /** It asked under a name of before v1.13 (perhaps too), and may read such data under the name of then. */
  readonly usesMsc2409: boolean
  /** It is told of changed devices and of keys that were handed out; where it gets ephemeral data, messages to devices too. */
  readonly receivesEncryption: boolean
  /** Lives in this process: transactions go to a function instead of a URL. */
  readonly isInProcess: boolean
}

/** A registration that cannot be used; the message names where it came from and what to change. */
export class RegistrationError extends Error {
  override readonly name = 'RegistrationError'
}

function checkShape(value: unknown, source: string): AppserviceRegistration {
  const [isValid, errors] = Errors(registrationSchema, value)
  if (isValid) return value as AppserviceRegistration
  const [worst] = errors.toSorted((a, b) => b.instancePath.length - a.instancePath.length)
  const missing = (worst?.params as { requiredProperties?: string[] } | undefined)?.requiredProperties?.[0]
  const place = (worst?.instancePath ?? '').slice(1).replaceAll('/', '.')
  if (missing !== undefined) {
    const name = place === '' ? missing : `${place}.${missing}`
    throw new RegistrationError(`${source}: "${name}" is missing`)
  }
  throw new RegistrationError(
    `${source}: ${place === '' ? 'the file' : `"${place}"`} ${worst?.message ?? 'is not valid'}`,
  )
}

function compileNamespaces(
  registration: AppserviceRegistration,
  kind: NamespaceKind,
  source: string,
): Namespace[] {
  return (registration.namespaces[kind] ?? []).map(({ exclusive = false, regex }, index) => {
    try {
      return { exclusive, regex, matches: compilePattern(regex) }
    } catch (cause) {
      const problem = (cause as Error).message
      throw new RegistrationError(`${source}: the regex of namespaces.${kind}[${index}] ${problem}: ${regex}`)
    }
  })
}

function checkUrl(url: string | null | undefined, source: string): string | undefined {
  if (url == null || url === '') return undefined
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    throw new RegistrationError(`${source}: "url" must begin with http:// or https://, or be null`)
  }
  if (parsed.username !== '' || parsed.search !== '' || parsed.hash !== '') {
    throw new RegistrationError(`${source}: "url" must have no user name, query or fragment`)
  }
  return url.replace(/\/+$/, '')
}

/** By the historical grammar: mautrix bridges write a random name with capitals there, and never act by it. */
function senderOf(localpart: string, serverName: ServerName): UserId | undefined {
  const userId = parseUserId(`@${localpart}:${serverName}`)
  return userId !== undefined && localpartOf(userId) === localpart && isCompliantUserId(userId)
    ? userId
    : undefined
}

/**
 * Checks a registration and compiles its namespaces. `source` names it in messages (a file name).
 * @throws RegistrationError with a sentence for the operator
 */
export function parseRegistration(
  value: unknown,
  serverName: ServerName,
  { source, isInProcess = false }: { readonly source: string; readonly isInProcess?: boolean },
): Appservice {
  const registration = checkShape(value, source)
  const sender = senderOf(registration.sender_localpart, serverName)
  if (sender === undefined) {
    throw new RegistrationError(`${source}: "sender_localpart" may hold only visible ASCII without a colon`)
  }
  if (registration.as_token === registration.hs_token) {
    throw new RegistrationError(`${source}: as_token and hs_token must differ`)
  }
  const asEarlier = registration['de.sorunome.msc2409.push_ephemeral'] ?? registration.push_ephemeral ?? false
  const receivesEphemeral = registration.receive_ephemeral ?? asEarlier
  return {
    id: registration.id,
    url: checkUrl(registration.url, source),
    asToken: registration.as_token,
    hsToken: registration.hs_token,
    sender,
    namespaces: {
      users: compileNamespaces(registration, 'users', source),
      aliases: compileNamespaces(registration, 'aliases', source),
      rooms: compileNamespaces(registration, 'rooms', source),
    },
    rateLimited: registration.rate_limited === true,
    protocols: registration.protocols ?? [],
    receivesEphemeral,
    usesMsc2409: receivesEphemeral && asEarlier,
    receivesEncryption: registration['org.matrix.msc3202'] === true,
    isInProcess,
  }
}
