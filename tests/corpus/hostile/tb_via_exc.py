# expect: ORC302 at all
import sys
sys.exc_info()[2].tb_frame
