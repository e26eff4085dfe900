// https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1sendtxnid
import { Type } from 'typebox'
import { defineEndpoint } from '../../http/endpoint.ts'
import { receiveTransaction } from './receive-transaction.ts'

/** 50 PDUs of 64 KiB, and EDUs: keys for the devices of a large room among them. */
const MAX_BODY = 16 * 1024 * 1024

export const sendTransaction = defineEndpoint({
  operation: 'sendTransaction',
  method: 'PUT',
  path: '/_matrix/federation/v1/send/:txnId',
  auth: 'server',
  params: Type.Object({ txnId: Type.String({ minLength: 1, maxLength: 255 }) }),
  body: Type.Object({
    pdus: Type.Optional(Type.Array(Type.Unknown())),
    edus: Type.Optional(Type.Array(Type.Unknown())),
  }),
  maxBodyBytes: MAX_BODY,
  run: (hs, { origin, params, body }) => receiveTransaction(hs, origin, params.txnId, body),
})
