# expect: ORC302 at all
def main():
    try:
        1 / 0
    except Exception as error:
        return error.with_traceback(None), error.tb.tb_frame
