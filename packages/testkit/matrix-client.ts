import type { JsonObject } from '@causeway/matrix/events/pdu.ts'

/** A logged-in user over plain HTTP: for tests that look at the API itself. */
export interface TestUser {
  readonly userId: string
  readonly token: string
  readonly deviceId: string
  /** Any operation below `/_matrix/client/v3`; rejects with the errcode for anything but 200. */
  call(method: string, path: string, body?: JsonObject): Promise<JsonObject>
}

/** One request; the answer's status and body, whatever they are. */
export async function request(
  base: string,
  method: string,
  path: string,
  options: { token?: string; body?: JsonObject } = {},
): Promise<{ status: number; body: JsonObject }> {
  const response = await fetch(`${base}${path}`, {
    method,
    headers: {
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
  })
  return { status: response.status, body: (await response.json()) as JsonObject }
}

/** Registers a user by open registration. */
export async function registerUser(
  base: string,
  localpart: string,
  password = 'a long enough password',
): Promise<TestUser> {
  const path = '/_matrix/client/v3/register'
  const body: JsonObject = { username: localpart, password, auth: { type: 'm.login.dummy' } }
  let answer = await request(base, 'POST', path, { body })
  if (answer.status === 401) {
    body['auth'] = { type: 'm.login.dummy', session: answer.body['session']! }
    answer = await request(base, 'POST', path, { body })
  }
  if (answer.status !== 200) throw new Error(`register ${localpart}: ${JSON.stringify(answer)}`)
  return userOf(base, answer.body)
}

/** Logs in anew, which makes another device. */
export async function loginUser(
  base: string,
  localpart: string,
  password = 'a long enough password',
): Promise<TestUser> {
  const body: JsonObject = {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: localpart },
    password,
  }
  const answer = await request(base, 'POST', '/_matrix/client/v3/login', { body })
  if (answer.status !== 200) throw new Error(`login ${localpart}: ${JSON.stringify(answer)}`)
  return userOf(base, answer.body)
}

function userOf(base: string, login: JsonObject): TestUser {
  const token = login['access_token'] as string
  return {
    userId: login['user_id'] as string,
    deviceId: login['device_id'] as string,
    token,
    call: async (method, operation, content) => {
      const options = content === undefined ? { token } : { token, body: content }
      const { status, body: result } = await request(base, method, `/_matrix/client/v3${operation}`, options)
      if (status !== 200) throw new Error(`${method} ${operation}: ${status} ${JSON.stringify(result)}`)
      return result
    },
  }
}
