import { Type, type TString } from 'typebox'
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { parseServerName } from '@causeway/matrix/ids/server-name.ts'
import type { FailingDestination } from '@causeway/store/tables/destinations.ts'
import { formatTime } from './job-view.ts'

export const serverOption: TString = Type.String({
  description: 'The name of the server, such as example.org',
})

/** @throws MatrixError M_INVALID_PARAM */
export function readServerName(text: string): ServerName {
  const name = parseServerName(text)
  if (name === undefined) throw invalidParam(`"${text}" is no server name`)
  return name
}

/** A server that fails, as commands show it. */
export function viewDestination(one: FailingDestination): JsonObject {
  return {
    server: one.serverName,
    failing_since: formatTime(one.failingSinceTs),
    failures: one.failures,
    next_attempt: formatTime(one.retryTs),
    last_error: one.lastError,
  }
}
