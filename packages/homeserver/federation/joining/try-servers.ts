import { ERRCODE_STATUS, type Errcode } from '@causeway/matrix/errors/errcodes.ts'
import { MatrixError, forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { Logger } from '../../ops/log.ts'
import { AnswerRefused, JoinRefused } from '../../rooms/join/check-answer.ts'
import { FederationError } from '../federation-client.ts'

/** So many servers are asked for one request of a user. */
const MAX_SERVERS = 10
/** So many may refuse before it counts as the room's word. */
const MAX_REFUSALS = 2

/** Refusals that say something of the server that was asked, and nothing of the room. */
const OF_THE_SERVER: ReadonlySet<string> = new Set([
  'M_NOT_FOUND',
  'M_UNRECOGNIZED',
  'M_UNABLE_TO_AUTHORISE_JOIN',
  'M_UNABLE_TO_GRANT_JOIN',
  'M_LIMIT_EXCEEDED',
  'M_MISSING_PARAM',
  'M_INVALID_PARAM',
  'M_UNKNOWN',
])

/**
 * Asks one server after another until one has done it. Throws what the room's servers agree to refuse (`M_FORBIDDEN`,
 * …), or a sentence that names what became of each.
 */
export async function tryServers<T>(
  deps: { readonly logger: Logger },
  servers: readonly ServerName[],
  purpose: string,
  attempt: (server: ServerName) => Promise<T>,
): Promise<T> {
  const failures: { server: ServerName; error: FederationError | AnswerRefused }[] = []
  let refusals = 0
  for (const server of servers.slice(0, MAX_SERVERS)) {
    try {
      return await attempt(server)
    } catch (error) {
      if (!(error instanceof FederationError) && !(error instanceof AnswerRefused)) throw error
      deps.logger.info(`a server could not help to ${purpose}`, { server, error })
      failures.push({ server, error })
      if (isRefusal(error) && ++refusals >= MAX_REFUSALS) break
    }
  }
  throw toRefusal(failures, purpose)
}

function isRefusal(error: Error): boolean {
  if (!(error instanceof FederationError) || error.failure.kind !== 'refused') return false
  return error.failure.status < 500 && !OF_THE_SERVER.has(error.failure.errcode ?? 'M_UNKNOWN')
}

function toRefusal(
  failures: readonly { readonly server: ServerName; readonly error: Error }[],
  purpose: string,
): MatrixError {
  const told =
    failures.find(({ error }) => isRefusal(error)) ??
    failures.find(({ error }) => errcodeOf(error)?.startsWith('M_UNABLE_TO_') === true)
  if (told !== undefined) {
    const { failure } = told.error as FederationError & { failure: { kind: 'refused' } }
    const errcode = errcodeOf(told.error) ?? 'M_FORBIDDEN'
    const message = `${told.server} refuses: ${failure.error ?? errcode}`
    const version = failure.body?.['room_version']
    const extra = typeof version === 'string' ? { room_version: version } : {}
    return new MatrixError(errcode, message, { status: failure.status, extra })
  }
  const forbidding = failures.find(({ error }) => error instanceof JoinRefused)
  if (forbidding !== undefined) return forbidden(`${forbidding.server}: ${forbidding.error.message}`)
  const names = failures.map(({ server, error }) => `${server} (${describe(error)})`).join(', ')
  if (failures.length > 0 && failures.every(({ error }) => errcodeOf(error) === 'M_NOT_FOUND')) {
    return new MatrixError('M_NOT_FOUND', `Cannot ${purpose}: none of these servers knows the room: ${names}`)
  }
  return new MatrixError(
    'M_UNKNOWN',
    names === ''
      ? `Cannot ${purpose}: no server is known to be in the room; name one by "via"`
      : `Cannot ${purpose}: none of the servers asked could help: ${names}`,
    { status: names === '' ? 404 : 502 },
  )
}

function errcodeOf(error: Error): Errcode | undefined {
  if (!(error instanceof FederationError) || error.failure.kind !== 'refused') return undefined
  const { errcode } = error.failure
  return errcode !== undefined && Object.hasOwn(ERRCODE_STATUS, errcode) ? (errcode as Errcode) : undefined
}

function describe(error: Error): string {
  if (error instanceof AnswerRefused) return error.message
  if (!(error instanceof FederationError)) return 'failed'
  const { failure } = error
  switch (failure.kind) {
    case 'refused':
      return `answered ${failure.status} ${failure.errcode ?? ''} ${failure.error ?? ''}`.trim()
    case 'malformed':
      return 'its answer makes no sense'
    case 'backing-off':
      return 'was down a moment ago'
    default:
      return 'cannot be reached'
  }
}
