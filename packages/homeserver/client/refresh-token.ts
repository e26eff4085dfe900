// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3refresh
import { Type } from 'typebox'
import { refreshSession } from '../accounts/refresh.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { v1, v3 } from './paths.ts'

const { path, also } = v3('/refresh')

export const refresh = defineEndpoint({
  operation: 'refresh',
  method: 'POST',
  path,
  also: [...also, v1('/refresh').path],
  auth: 'none',
  rateLimit: 'login',
  body: Type.Object({ refresh_token: Type.String({ minLength: 1, maxLength: 512 }) }),
  run: (hs, { body }) => refreshSession(hs, body.refresh_token),
})
