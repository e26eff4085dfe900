import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { FederationError } from './federation-client.ts'

/** Why a server gave no answer, as `/keys/query` and `/keys/claim` tell their clients. */
export interface ServerFailure extends JsonObject {
  status: number
  message: string
}

export interface ServerAnswers<T> {
  readonly answers: ReadonlyMap<ServerName, T>
  readonly failures: Readonly<Record<string, ServerFailure>>
}

/** Servers that one request of a client asks at the same time. */
const AT_ONCE = 50
const UNAVAILABLE = 503

function failureOf({ failure }: FederationError): ServerFailure {
  switch (failure.kind) {
    case 'refused':
      return { status: failure.status, message: 'This server refused to answer' }
    case 'malformed':
      return { status: UNAVAILABLE, message: 'This server answered with what makes no sense' }
    case 'backing-off':
      return {
        status: UNAVAILABLE,
        message: 'This server did not answer a while ago, and was not asked again',
      }
    case 'unreachable':
      return { status: UNAVAILABLE, message: 'This server does not answer' }
  }
}

/** Asks several servers side by side; one that fails is told of and hinders no other. */
export async function askServers<T>(
  servers: Iterable<ServerName>,
  ask: (server: ServerName) => Promise<T>,
): Promise<ServerAnswers<T>> {
  const answers = new Map<ServerName, T>()
  const failures: [string, ServerFailure][] = []
  const next = [...servers].values()
  const lane = async (): Promise<void> => {
    for (const server of next) {
      try {
        answers.set(server, await ask(server))
      } catch (error) {
        if (!(error instanceof FederationError)) throw error
        failures.push([server, failureOf(error)])
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  return { answers, failures: Object.fromEntries(failures) }
}
