package bench
import ("testing";"time";"fmt";"os";"github.com/daybook-db/daybook/engine")
func TestTmp(t *testing.T){
 if os.Getenv("TMPX")=="" {t.Skip()}
 dir:=t.TempDir(); db,_:=engine.Open(dir,nil)
 w:=NewWorkload(1000,1)
 for k:=0;k<4;k++{
 s0,_:=db.Stats(ctx); st:=time.Now(); var mk time.Duration; var mx time.Duration; slow:=0
 for i:=0;i<1000;i++{ a:=time.Now(); tk:=w.Tick(); mk+=time.Since(a); a=time.Now(); if err:=db.StoreBatch(ctx,tk);err!=nil{t.Fatal(err)}; d:=time.Since(a); mx=max(mx,d); if d>5*time.Millisecond {slow++}}
 e:=time.Since(st)-mk
 s1,_:=db.Stats(ctx)
 fmt.Printf("1M in %v mk %v max %v slow %d; syncs %d total %v max %v; ckpt %d %v\n",e,mk,mx,slow,s1.Syncs.Count-s0.Syncs.Count,s1.Syncs.Total-s0.Syncs.Total,s1.Syncs.Max,s1.Checkpoints.Count-s0.Checkpoints.Count,s1.Checkpoints.Total-s0.Checkpoints.Total)
 }
 db.Close()
}
