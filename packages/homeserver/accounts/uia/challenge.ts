import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Errcode } from '@causeway/matrix/errors/errcodes.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { UiaSession, UiaStage } from './sessions.ts'

/** What may be done to be allowed: any one of the flows, with what its stages need to know. */
export interface UiaOffer {
  readonly flows: readonly (readonly UiaStage[])[]
  readonly params?: JsonObject
}

/** Why a stage was not completed. */
export interface StageFailure {
  readonly errcode: Errcode
  readonly message: string
}

/**
 * The 401 that says what is still to be done. It has an errcode only after a failure: clients show whatever has
 * one as an error.
 */
export class UiaChallenge extends MatrixError {
  readonly #failed: boolean

  constructor(offer: UiaOffer, session: UiaSession, failure?: StageFailure) {
    super(failure?.errcode ?? 'M_UNAUTHORIZED', failure?.message ?? 'This has to be confirmed first', {
      status: 401,
      extra: {
        flows: offer.flows.map((stages) => ({ stages: [...stages] })),
        params: offer.params ?? {},
        session: session.id,
        ...(session.completed.size === 0 ? {} : { completed: [...session.completed.keys()] }),
      },
    })
    this.#failed = failure !== undefined
  }

  override toBody(): JsonObject {
    return this.#failed ? super.toBody() : this.extra
  }
}
