/** Alipay's refusals: a gateway code, and a sub code that says which rule it was. */
export class AlipayError extends Error {
  constructor(
    readonly code: string,
    readonly msg: string,
    readonly subCode: string,
    readonly subMsg: string,
    /** The gateway does not know the application, so it has no key to sign for. */
    readonly isUnsigned = false,
  ) {
    super(subCode);
  }
}

/** 40004: the business refuses. */
export function refused(subCode: string, subMsg: string): AlipayError {
  return new AlipayError('40004', 'Business Failed', subCode, subMsg);
}

export function invalidParameter(field: string): AlipayError {
  return refused('ACQ.INVALID_PARAMETER', `参数无效：${field}`);
}

/** 40002: the gateway refuses the form of the request. */
export function invalidArguments(subCode: string, subMsg: string, isUnsigned = false): AlipayError {
  return new AlipayError('40002', 'Invalid Arguments', subCode, subMsg, isUnsigned);
}

export const TRADE_NOT_EXIST = () => refused('ACQ.TRADE_NOT_EXIST', '交易不存在');
