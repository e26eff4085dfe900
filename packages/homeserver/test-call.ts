import assert from 'node:assert/strict'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { TestLogin, TestServer } from './test-server.ts'

/** Test support: a client's request, its path below `/_matrix/client/v3`; the answer has to be a 200. */
export async function ok(
  server: Pick<TestServer, 'request'>,
  { token }: TestLogin,
  method: string,
  path: string,
  body?: JsonObject,
): Promise<JsonObject> {
  const answer = await server.request(method, `/_matrix/client/v3${path}`, { token, ...(body && { body }) })
  assert.equal(answer.status, 200, `${method} ${path}: ${Buffer.from(answer.bytes).toString()}`)
  return answer.json()
}
