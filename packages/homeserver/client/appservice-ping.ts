// https://spec.matrix.org/v1.19/application-service-api/#post_matrixclientv1appserviceappserviceidping
import { Type } from 'typebox'
import { MatrixError, forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { OutgoingTimeout } from '../appservice/http-send.ts'
import { AppserviceRefused } from '../appservice/outbound.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { v1 } from './paths.ts'

export const pingAppservice = defineEndpoint({
  operation: 'pingAppservice',
  method: 'POST',
  ...v1('/appservice/:appserviceId/ping', '/fi.mau.msc2659/appservice/:appserviceId/ping'),
  auth: 'user',
  rateLimit: 'read',
  params: Type.Object({ appserviceId: Type.String() }),
  body: Type.Object({ transaction_id: Type.Optional(Type.String({ maxLength: 1_000 })) }),
  run: async ({ appservices, clock }, { session, params, body }) => {
    if (session.appserviceId === undefined || session.appserviceId !== params.appserviceId) {
      throw forbidden('An application service may ping only itself, with its own as_token')
    }
    const client = appservices.client(session.appserviceId)
    if (client === undefined) {
      throw new MatrixError('M_URL_NOT_SET', 'This application service has no URL in its registration')
    }
    const start = clock.monotonic()
    await client.ping(body.transaction_id).catch((error: unknown) => {
      throw pingError(error)
    })
    appservices.queue(session.appserviceId)?.retryNow()
    return { duration_ms: Math.round(clock.monotonic() - start) }
  },
})

function pingError(error: unknown): MatrixError {
  if (error instanceof AppserviceRefused) {
    const { status, text } = error.response
    return new MatrixError('M_BAD_STATUS', `The application service answered with status ${status}`, {
      extra: { status, body: text },
    })
  }
  if (error instanceof OutgoingTimeout) {
    return new MatrixError('M_CONNECTION_TIMEOUT', 'The application service did not answer in time')
  }
  const code = (error as NodeJS.ErrnoException).code ?? 'no connection'
  return new MatrixError('M_CONNECTION_FAILED', `The application service cannot be reached: ${code}`)
}
